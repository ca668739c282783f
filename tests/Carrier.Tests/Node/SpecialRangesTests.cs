using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Nat;
using Carrier.Node;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Tests.Crypto;
using Carrier.Tests.Nat;

namespace Carrier.Tests.Node;

/// <summary>Addresses that a record names and nobody should be led to: this machine, its LAN, its cloud's metadata service, everybody and nobody.</summary>
public sealed class SpecialRangesTests
{
    private static readonly UnixTime Wall = new(1_800_000_000);

    public static TheoryData<string> NeverPeers =>
    [
        "0.0.0.0:5", "0.1.2.3:5", "[::]:5", "224.0.0.1:5", "239.255.255.250:1900", "240.0.0.1:5", "255.255.255.255:5", "[ff02::1]:5", "[ff02::fb]:5353",
        "[64:ff9b::a9fe:a9fe]:80", "[64:ff9b:1::7f00:1]:80", "[::ffff:0.0.0.0]:5", "[::ffff:224.0.0.1]:5",
    ];

    public static TheoryData<string> Near =>
    [
        "127.0.0.1:22", "127.8.8.8:53", "[::1]:22", "[::ffff:127.0.0.1]:22", "169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[fe80::1]:80",
        "10.0.0.1:53", "172.16.0.1:53", "192.168.1.1:53", "100.64.0.1:53", "[fd00::1]:53",
    ];

    [Theory]
    [MemberData(nameof(NeverPeers))]
    [MemberData(nameof(Near))]
    public void Dial_of_a_record_that_names_a_special_range_sends_nothing_there(string special)
    {
        using NodeMachine node = Started("198.51.100.1:4000");
        Assert.DoesNotContain(Addresses.Of(special), SentOnDial(node, special, "203.0.113.7:4000"));
    }

    // Where the whole network is on one machine or LAN, so are the addresses in its records; what is nobody's never is.
    [Fact]
    public void Dial_on_a_network_of_one_machine_or_LAN_goes_there()
    {
        using NodeMachine machine = Started("192.168.1.5:4000", seed: "127.0.0.1:4242");
        Assert.Contains(Addresses.Of("127.0.0.1:22"), SentOnDial(machine, "127.0.0.1:22"));
        using NodeMachine lan = Started("192.168.1.5:4000");
        List<Endpoint> sent = SentOnDial(lan, "192.168.1.1:53", "127.0.0.1:22", "224.0.0.1:5");
        Assert.Contains(Addresses.Of("192.168.1.1:53"), sent);
        Assert.DoesNotContain(Addresses.Of("127.0.0.1:22"), sent);
        Assert.DoesNotContain(Addresses.Of("224.0.0.1:5"), sent);
    }

    private static NodeMachine Started(string host, string? seed = null)
    {
        NodeOptions options = new() { Seeds = seed is null ? [] : [new HomeContact(KeyOf(9).Public, Addresses.Of(seed))] };
        NodeMachine node = new(options, KeyOf(80), MakeIdentity(6), new CountingRandom(100), new WallClock(Instant.Zero, Wall), Instant.Zero);
        node.SetHostEndpoints(Instant.Zero, [Addresses.Of(host)]);
        return node;
    }

    /// <summary>Dials a device whose record names each address as a candidate and as a home.</summary>
    private static List<Endpoint> SentOnDial(NodeMachine node, params string[] named)
    {
        using LocalIdentity peer = MakeIdentity(5);
        DeviceRecord record = new()
        {
            Candidates = [.. named.Select(address => new Candidate(CandidateKind.Host, Addresses.Of(address)))],
            Homes = [.. named.Select(address => new HomeContact(KeyOf(70).Public, Addresses.Of(address)))],
        };
        KnownPeers known = new();
        known.Learn(new PeerDevice(peer.Delegation, record, 1, Wall + TimeSpan.FromHours(1)));
        node.Restore(Instant.Zero, new NodeSnapshot(Array.Empty<byte>(), known.Snapshot()));
        _ = node.Dial(Instant.Zero, peer.TrustId, "chat/1");
        List<Endpoint> sent = [];
        byte[] buffer = new byte[65_536];
        Instant now = Instant.Zero;
        for (int turns = 0; turns < 1_000 && now < Instant.Zero + TimeSpan.FromSeconds(20); turns++)
        {
            while (node.TryTransmit(now, buffer, out Transmit transmit))
            {
                sent.Add(transmit.Path.Remote);
            }

            now = Instant.Max(now, node.NextDeadline);
            node.HandleTimeout(now);
        }

        return sent;
    }

    private static TransportKey KeyOf(byte number) => TransportKey.Generate(new CountingRandom(number));

    private static LocalIdentity MakeIdentity(byte number)
    {
        byte[] scalar = new byte[OwnerKey.PrivateBytes];
        scalar[^1] = number;
        Assert.True(OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner));
        var device = DeviceKeys.Generate(new CountingRandom(number));
        return new LocalIdentity(device, Delegation.Issue(owner, device, 1, Wall - TimeSpan.FromDays(1), Wall + TimeSpan.FromDays(1), DelegationUses.Session));
    }
}
