using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat;

namespace Carrier.Tests.Nat;

public sealed class ReflexiveAddressesTests
{
    private readonly DropCounters _drops = new();
    private readonly ReflexiveAddresses _reflexive;

    public ReflexiveAddressesTests() => _reflexive = new(_drops);

    [Fact]
    public void Observe_agreeing_peers_means_endpoint_independent()
    {
        Observe(0, "198.51.100.1:1", "203.0.113.7:61000");
        Assert.Equal(Addresses.Of("203.0.113.7:61000"), Best);
        Assert.Equal(NatMapping.Unknown, Mapping);
        Observe(1, "192.0.2.1:1", "203.0.113.7:61000");
        Assert.Equal(NatMapping.EndpointIndependent, Mapping);
    }

    [Fact]
    public void Observe_a_liar_moves_nothing_that_two_others_confirm()
    {
        Observe(0, "198.51.100.1:1", "203.0.113.7:61000");
        Observe(1, "192.0.2.1:1", "203.0.113.7:61000");
        Assert.True(_reflexive.TryEffect(out _));
        for (int port = 1; port < 200; port++)
        {
            Observe(2, $"9.9.9.{port % 250}:{port}", $"1.2.3.4:{port}"); // one source unit, many voices
        }

        Assert.Equal(Addresses.Of("203.0.113.7:61000"), Best);
        Assert.Equal(NatMapping.EndpointIndependent, Mapping);
        Assert.False(_reflexive.TryEffect(out _));
    }

    [Fact]
    public void Observe_a_first_liar_is_outvoted()
    {
        Observe(0, "9.9.9.9:1", "1.2.3.4:5");
        Observe(1, "198.51.100.1:1", "203.0.113.7:61000");
        Assert.Equal(Addresses.Of("1.2.3.4:5"), Best);
        Observe(2, "192.0.2.1:1", "203.0.113.7:61000");
        Assert.Equal(Addresses.Of("203.0.113.7:61000"), Best);
    }

    [Fact]
    public void Observe_another_port_for_every_peer_means_address_dependent()
    {
        Observe(0, "198.51.100.1:1", "203.0.113.7:61000");
        Observe(1, "192.0.2.1:1", "203.0.113.7:61013");
        Assert.Equal(NatMapping.Unknown, Mapping); // one of the two may lie
        Observe(2, "9.9.9.9:1", "203.0.113.7:61044");
        Assert.Equal(NatMapping.AddressDependent, Mapping);
    }

    [Fact]
    public void Observe_own_endpoint_means_no_translation()
    {
        _reflexive.SetHostEndpoints([Addresses.Of("203.0.113.7:4433")]);
        Observe(0, "198.51.100.1:1", "203.0.113.7:4433");
        Assert.Equal(NatMapping.None, Mapping);
    }

    [Fact]
    public void Observe_a_changed_network_is_told_once()
    {
        Observe(0, "198.51.100.1:1", "203.0.113.7:61000");
        Observe(0, "192.0.2.1:1", "203.0.113.7:61000");
        Assert.True(_reflexive.TryEffect(out ReflexiveChange first));
        Assert.True(first.Previous.IsNone);
        Observe(5, "198.51.100.1:1", "203.0.113.99:7000");
        Assert.False(_reflexive.TryEffect(out _));
        Observe(6, "192.0.2.1:1", "203.0.113.99:7000");
        Assert.True(_reflexive.TryEffect(out ReflexiveChange change));
        Assert.Equal(new(AddressFamily.InterNetwork, Addresses.Of("203.0.113.7:61000"), Addresses.Of("203.0.113.99:7000")), change);
        Assert.False(_reflexive.TryEffect(out _));
    }

    [Theory]
    [InlineData("198.51.100.1:1", "192.168.1.2:5")]
    [InlineData("192.168.1.1:1", "203.0.113.7:5")]
    [InlineData("198.51.100.1:1", "127.0.0.1:5")]
    [InlineData("198.51.100.1:1", "0.0.0.0:5")]
    [InlineData("198.51.100.1:1", "203.0.113.7:0")]
    [InlineData("198.51.100.1:1", "[2001:db8::7]:5")]
    public void Observe_addresses_beyond_the_reporters_scope_are_dropped(string reporter, string observed)
    {
        Observe(0, reporter, observed);
        Assert.True(Best.IsNone);
        Assert.Equal(1, _drops[DropReason.ScopeMismatch]);
    }

    [Fact]
    public void Observe_what_the_internet_sees_wins_over_the_lan()
    {
        Observe(0, "192.168.1.1:1", "192.168.1.20:4433");
        Observe(0, "192.168.2.1:1", "192.168.1.20:4433");
        Observe(0, "198.51.100.1:1", "203.0.113.7:61000");
        Assert.Equal(Addresses.Of("203.0.113.7:61000"), Best);
    }

    [Fact]
    public void HandleTimeout_votes_nobody_repeats_are_forgotten()
    {
        Observe(0, "198.51.100.1:1", "203.0.113.7:61000");
        Assert.Equal(Instant.Zero + ReflexiveAddresses.VoteLifetime, _reflexive.NextDeadline);
        _reflexive.HandleTimeout(_reflexive.NextDeadline);
        Assert.True(Best.IsNone);
        Assert.Equal(Instant.Never, _reflexive.NextDeadline);
    }

    private Endpoint Best => _reflexive.Best(AddressFamily.InterNetwork);

    private NatMapping Mapping => _reflexive.Mapping(AddressFamily.InterNetwork);

    private void Observe(double seconds, string reporter, string observed) =>
        _reflexive.Observe(Addresses.At(seconds), Addresses.Of(reporter), Addresses.Of(observed));
}
