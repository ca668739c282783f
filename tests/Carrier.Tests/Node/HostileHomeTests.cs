using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using Carrier.Dht.Rpc;
using Carrier.Node;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Tests.Crypto;

namespace Carrier.Tests.Node;

/// <summary>A home that a serving node dials through, and that turns on it.</summary>
public sealed class HostileHomeTests
{
    private const ulong Channel = 77;
    private static readonly Endpoint Home = Endpoint.FromIPv4(0xCB00_7107, 4000);
    private static readonly Endpoint Own = Endpoint.FromIPv4(0xC633_6401, 4000);
    private static readonly UnixTime Wall = new(1_800_000_000);

    [Fact]
    public void Initiation_over_the_channel_of_a_dial_is_dropped()
    {
        using LocalIdentity peer = MakeIdentity(5);
        using LocalIdentity local = MakeIdentity(6);
        using var homeKey = TransportKey.Generate(new CountingRandom(70));
        using var nodeKey = TransportKey.Generate(new CountingRandom(80));
        using SealedMessages home = new(homeKey, new CountingRandom(90), new DropCounters());
        using NodeMachine node = new(
            new NodeOptions { Serve = true, Advertise = Own }, nodeKey, local, new CountingRandom(100), new WallClock(Instant.Zero, Wall), Instant.Zero);
        node.SetHostEndpoints(Instant.Zero, [Own]);
        KnownPeers known = new();
        DeviceRecord record = new() { Homes = [new HomeContact(homeKey.Public, Home)] };
        known.Learn(new PeerDevice(peer.Delegation, record, 1, Wall + TimeSpan.FromHours(1)));
        node.Restore(Instant.Zero, new NodeSnapshot(Array.Empty<byte>(), known.Snapshot()));
        _ = node.Dial(Instant.Zero, peer.TrustId, "chat/1");

        byte[] answer = AnswerConnect(home, TransmittedTo(node, Home));
        node.Handle(Instant.Zero, Home, answer, answer.Length);
        long before = node.Drops[DropReason.NotAuthorized];
        byte[] relayed = new byte[NetworkPath.RelayHeaderBytes + 200];
        new NetworkPath(Home, Channel).WriteHeader(relayed);
        relayed[NetworkPath.RelayHeaderBytes] = (byte)PacketKind.HandshakeInitiation;
        node.Handle(Instant.Zero, Home, relayed, relayed.Length);
        Assert.Equal(before + 1, node.Drops[DropReason.NotAuthorized]);
    }

    private static byte[] AnswerConnect(SealedMessages home, byte[] question)
    {
        Assert.True(home.TryOpenQuestion(Instant.Zero, question, out PublicKey asker, out Span<byte> plaintext));
        Assert.True(QuestionMessage.TryParse(plaintext, out QuestionMessage asked));
        Assert.Equal((int)HomeMethod.Connect, asked.Method);
        byte[] body = new byte[ConnectAnswer.MaxBytes];
        int bodyBytes = new ConnectAnswer(ConnectStatus.Connected, Channel, TimeSpan.FromSeconds(60)).Encode(body);
        CborWriter writer = new(new byte[200]);
        new AnswerMessage { Observed = Own, Token = 1, Body = body.AsSpan(0, bodyBytes) }.Write(ref writer);
        byte[] answer = new byte[SealedMessages.MaxDatagramBytes];
        Assert.True(home.TrySealAnswer(asker, asked.CallId, writer.Encoded, answer.Length, answer, out int answerBytes));
        return answer[..answerBytes];
    }

    private static byte[] TransmittedTo(NodeMachine node, Endpoint to)
    {
        byte[] buffer = new byte[65_536];
        while (node.TryTransmit(Instant.Zero, buffer, out Transmit transmit))
        {
            if (transmit.Path.Remote == to && buffer[0] == (byte)PacketKind.SealedQuestion)
            {
                return buffer[..transmit.Bytes];
            }
        }

        throw new InvalidOperationException("The home was not asked.");
    }

    private static LocalIdentity MakeIdentity(byte number)
    {
        byte[] scalar = new byte[OwnerKey.PrivateBytes];
        scalar[^1] = number;
        Assert.True(OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner));
        var device = DeviceKeys.Generate(new CountingRandom(number));
        return new LocalIdentity(device, Delegation.Issue(owner, device, 1, Wall - TimeSpan.FromDays(1), Wall + TimeSpan.FromDays(1), DelegationUses.Session));
    }
}
