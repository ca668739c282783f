using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Dht;
using Carrier.Dht.Rpc;
using Carrier.Node;
using Carrier.Node.Addresses;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Relay;
using Carrier.Node.Serving;

namespace Carrier.Fuzz.Targets;

/// <summary>Whole nodes and what they keep between runs.</summary>
public static class NodeTargets
{
    private static readonly UnixTime Wall = new(1_800_000_000);
    private static readonly Endpoint Remote = Endpoint.FromIPv4(0xCB00_7107, 61000);
    private static readonly Endpoint Own = Endpoint.FromIPv4(0xC633_6401, 4000);
    private static readonly TransportKey Key = TransportKey.Generate(new SeededRandom(11));
    private static readonly LocalIdentity Local = MakeIdentity();

    /// <summary>A device that also serves, and what a stranger sends it: each datagram is preceded by its length in two bytes.</summary>
    public static void Datagrams(ReadOnlySpan<byte> data)
    {
        NodeOptions options = new() { Serve = true, Advertise = Own };
        using NodeMachine node = new(options, Key, Local, new SeededRandom(12), new WallClock(Instant.Zero, Wall), Instant.Zero);
        Instant now = Instant.Zero;
        byte[] buffer = new byte[65_536];
        while (!data.IsEmpty)
        {
            ReadOnlySpan<byte> datagram = TakeChunk(ref data);
            node.Handle(now, Remote, datagram.ToArray(), Math.Max(1, datagram.Length));
            now += TimeSpan.FromMilliseconds(50);
            node.HandleTimeout(now);
            while (node.TryTransmit(now, buffer, out Transmit transmit))
            {
                Assert.InRange(transmit.Bytes, 1, buffer.Length);
            }

            while (node.TryEffect(now, out _))
            {
            }
        }
    }

    /// <summary>Any question a device with a proven address asks a home, its signatures taken for good: method, then body.</summary>
    public static void HomeQuestions(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            return;
        }

        RelayMachine relay = new(RelayBudgets.Unlimited, new SeededRandom(13), new DropCounters());
        HomeServer server = new(Key.Public, Believe, relay, new HomeLimits(), new SeededRandom(14), new DropCounters());
        byte[] answer = new byte[HomeServer.MaxAnswerBytes];
        for (int i = 0; i < 2; i++)
        {
            Assert.InRange(server.Answer(Instant.Zero, Wall, Remote, (HomeMethod)data[0], data[1..], answer), 0, answer.Length);
        }
    }

    /// <summary>Any question a registered device asks a home to look up or store: method, then body. It is refused or answered once, however it ends.</summary>
    public static void ProxyQuestions(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            return;
        }

        DropCounters drops = new();
        SeededRandom random = new(15);
        using SealedMessages messages = new(Key, random, drops);
        using AddressTokens tokens = new(random);
        RpcMachine rpc = new(messages, tokens, random, drops);
        DhtMachine dht = new(rpc, DhtOptions.Default, new WallClock(Instant.Zero, Wall), Instant.Zero);
        dht.Serve(Instant.Zero, Key.Public, Own);
        HomeServer homes = new(Key.Public, BelieveLocal, new RelayMachine(RelayBudgets.Unlimited, random, drops), new HomeLimits(), random, drops);
        byte[] body = new byte[RegisterQuestion.MaxBytes];
        int bytes = new RegisterQuestion { Delegation = Local.Delegation.Encoded.Span, Time = Wall, Signature = new byte[HomeProof.SignatureBytes] }.Encode(body);
        _ = homes.Answer(Instant.Zero, Wall, Remote, HomeMethod.Register, body.AsSpan(0, bytes), new byte[HomeServer.MaxAnswerBytes]);
        DhtProxy proxy = new(dht, rpc, homes, new LocalAddresses(Own, drops), new HashSet<Endpoint>(), new SerialFloors(), new HomeLimits(), random, drops);

        HomeMethod method = (data[0] & 1) == 0 ? HomeMethod.ProxyGet : HomeMethod.ProxyPut;
        proxy.Answer(Instant.Zero, Wall, new Question(Key.Public, 1, Remote, (int)method, AddressProven: true, 1_200), data[1..]);
        while (dht.TryEffect(out DhtEffect? effect))
        {
            Assert.True(proxy.TryTake(Instant.Zero, effect));
        }

        int answers = 0;
        byte[] buffer = new byte[SealedMessages.MaxDatagramBytes];
        while (rpc.TryTransmit(Instant.Zero, buffer, out Transmit transmit))
        {
            Assert.Equal(Remote, transmit.Path.Remote);
            answers++;
        }

        Assert.Equal(1, answers);
        proxy.HandleTimeout(Instant.Zero + DhtProxy.KeptFor);
        Assert.Equal(Instant.Never, proxy.NextDeadline);
    }

    /// <summary>The devices met before: what is taken back in is written the same again.</summary>
    public static void KnownPeersSnapshot(ReadOnlySpan<byte> data)
    {
        KnownPeers first = new();
        first.Restore(data);
        byte[] snapshot = first.Snapshot();
        KnownPeers second = new();
        second.Restore(snapshot);
        Assert.True(second.Snapshot().AsSpan().SequenceEqual(snapshot));
    }

    internal static ReadOnlySpan<byte> TakeChunk(ref ReadOnlySpan<byte> data)
    {
        int length = data.Length < sizeof(ushort) ? 0 : BinaryPrimitives.ReadUInt16BigEndian(data);
        data = data[Math.Min(data.Length, sizeof(ushort))..];
        ReadOnlySpan<byte> chunk = data[..Math.Min(length, data.Length)];
        data = data[chunk.Length..];
        return chunk;
    }

    private static bool Believe(ReadOnlySpan<byte> delegation, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, UnixTime wall, out ProvenDevice device)
    {
        device = new ProvenDevice(Key.Public, 1);
        return true;
    }

    private static bool BelieveLocal(ReadOnlySpan<byte> delegation, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, UnixTime wall, out ProvenDevice device)
    {
        device = new ProvenDevice(Local.Device.ExchangeKey, 1);
        return true;
    }

    private static LocalIdentity MakeIdentity()
    {
        byte[] scalar = new byte[OwnerKey.PrivateBytes];
        scalar[^1] = 7;
        Assert.True(OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner));
        var device = DeviceKeys.Generate(new SeededRandom(10));
        return new LocalIdentity(
            device, Delegation.Issue(owner, device, 1, Wall - TimeSpan.FromDays(1), Wall + TimeSpan.FromDays(1), DelegationUses.Session | DelegationUses.Records));
    }
}
