using Carrier.Core;
using Carrier.Fuzz.Targets;
using Carrier.Nat;

namespace Carrier.Tests.Nat;

public sealed class CandidateTests
{
    private static readonly Candidate[] Listed =
    [
        new(CandidateKind.Host, Addresses.Of("192.168.1.20:4433")),
        new(CandidateKind.Reflexive, Addresses.Of("203.0.113.7:61000")),
        new(CandidateKind.Mapped, Addresses.Of("[2001:db8::7]:4433")),
        new(CandidateKind.Relay, Addresses.Of("198.51.100.9:3478")),
    ];

    [Fact]
    public void TryWriteList_golden_list_has_the_golden_bytes()
    {
        byte[] buffer = new byte[Candidate.MaxListBytes];
        Assert.True(Candidate.TryWriteList(Listed, buffer, out int bytes));
        Assert.Equal(NatVectors.Get("candidate-list"), buffer[..bytes]);
        Candidate[] read = new Candidate[Candidate.MaxListed];
        Assert.True(Candidate.TryReadList(buffer.AsSpan(0, bytes), read, out int count));
        Assert.Equal(Listed, read[..count]);
    }

    [Fact]
    public void TryReadList_hostile_bytes_never_throws() => HostileInput.Feed(NatVectors.Get("candidate-list"), NatTargets.CandidateList);

    [Fact]
    public void TryReadList_unknown_kinds_are_passed_over_and_long_lists_refused()
    {
        byte[] one = NatVectors.Get("candidate-list")[..7];
        byte[] unknown = (byte[])one.Clone();
        unknown[0] = 7;
        Candidate[] read = new Candidate[Candidate.MaxListed];
        Assert.True(Candidate.TryReadList([.. unknown, .. one], read, out int count));
        Assert.Equal(Listed[..1], read[..count]);
        byte[] many = [.. Enumerable.Repeat(unknown, Candidate.MaxListed + 1).SelectMany(bytes => bytes)];
        Assert.False(Candidate.TryReadList(many, read, out _));
        Assert.True(Candidate.TryReadList(many.AsSpan(7), read, out count));
        Assert.Equal(0, count);
    }

    [Theory]
    [InlineData("203.0.113.7:5", AddressScope.Global, true)]
    [InlineData("203.0.113.7:0", AddressScope.Global, false)]
    [InlineData("192.168.1.9:5", AddressScope.Global, true)]
    [InlineData("127.0.0.1:5", AddressScope.Global, false)]
    [InlineData("127.0.0.1:5", AddressScope.Loopback, true)]
    [InlineData("[::1]:5", AddressScope.Global, false)]
    [InlineData("169.254.169.254:80", AddressScope.Global, false)]
    [InlineData("0.0.0.0:5", AddressScope.Loopback, false)]
    [InlineData("224.0.0.1:5", AddressScope.Global, false)]
    [InlineData("[::ffff:127.0.0.1]:5", AddressScope.Global, false)]
    [InlineData("[64:ff9b::7f00:1]:5", AddressScope.Global, false)]
    [InlineData("[fe80::1]:5", AddressScope.LinkLocal, false)]
    [InlineData("[fd00::1]:5", AddressScope.Global, false)]
    [InlineData("[2001:db8::7]:5", AddressScope.Global, false)]
    public void IsWorthTrying_from_a_private_ipv4_host(string candidate, AddressScope learntFrom, bool expected)
    {
        LocalReach reach = LocalReach.Of([Addresses.Of("192.168.1.20:4433")]);
        Assert.Equal(expected, new Candidate(CandidateKind.Host, Addresses.Of(candidate)).IsWorthTrying(reach, learntFrom));
    }

    [Fact]
    public void IsWorthTrying_private_addresses_are_nothing_to_a_public_host()
    {
        LocalReach reach = LocalReach.Of([Addresses.Of("203.0.113.7:4433"), Addresses.Of("[2001:db8::7]:4433")]);
        Assert.False(new Candidate(CandidateKind.Host, Addresses.Of("10.0.0.1:5")).IsWorthTrying(reach, AddressScope.Global));
        Assert.True(new Candidate(CandidateKind.Host, Addresses.Of("[2001:db8::9]:5")).IsWorthTrying(reach, AddressScope.Global));
    }

    [Fact]
    public void IsWorthTrying_global_addresses_of_a_family_only_with_a_route_and_near_ones_without()
    {
        Endpoint[] hosts = [Addresses.Of("172.17.0.1:4433"), Addresses.Of("[2001:db8::7]:4433")];
        Assert.Equal([true, true, true], Tried(IPFamilies.Both));
        Assert.Equal([false, true, true], Tried(IPFamilies.IPv6));
        Assert.Equal([true, true, false], Tried(IPFamilies.IPv4));

        IEnumerable<bool> Tried(IPFamilies routed) => new[] { "198.51.100.9:5", "172.17.0.2:5", "[2001:db8::9]:5" }
            .Select(candidate => new Candidate(CandidateKind.Host, Addresses.Of(candidate)).IsWorthTrying(LocalReach.Of(hosts, routed), AddressScope.Global));
    }

    [Fact]
    public void Preference_goes_lan_ipv6_ipv4_relay()
    {
        string[] expected = ["192.168.1.20:4433", "[2001:db8::7]:4433", "203.0.113.7:61000", "198.51.100.9:3478"];
        Assert.Equal(expected.Select(Addresses.Of), Listed.OrderBy(candidate => candidate.Preference).Select(candidate => candidate.Endpoint));
    }
}
