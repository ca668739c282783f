using System.Buffers.Binary;
using System.Formats.Cbor;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Dht;
using Carrier.Dht.Rpc;
using Carrier.Node;
using Carrier.Tests.Crypto;
using static Carrier.Tests.Crypto.CryptoVectors;

namespace Carrier.Tests.Protocol;

/// <summary>The implementation written from docs/protocol.md against the golden bytes and against the shipped code.</summary>
public sealed class StrangerTests
{
    private const string Protocol = "chat/1";
    private static readonly Endpoint Here = Endpoint.FromIPv4(0xCB00_7107, 4000);
    private static readonly Endpoint There = Endpoint.FromIPv4(0xC633_6401, 4000);
    private static readonly UnixTime Wall = new(1_800_000_000);

    [Fact]
    public void Ping_is_the_golden_bytes_and_the_shipped_code_opens_it()
    {
        Dictionary<string, byte[]> vector = Read("ping.txt", "dht");
        byte[] payload = Stranger.Ping(0x1122334455667788);
        AssertHex(vector["question-payload"], payload);
        byte[] question = Stranger.SealQuestion(vector["asker-private"], vector["receiver-public"], vector["question-nonce"], payload, 128);
        AssertHex(vector["question"], question);
        AssertHex(vector["answer-payload"], Stranger.OpenAnswer(vector["asker-private"], vector["receiver-public"], vector["answer"]));

        using var receiver = TransportKey.Import(vector["receiver-private"]);
        using SealedMessages shipped = new(receiver, new CountingRandom(), new DropCounters());
        Assert.True(shipped.TryOpenQuestion(Instant.Zero, question, out PublicKey asker, out Span<byte> opened));
        AssertHex(vector["asker-public"], asker.Span);
        AssertHex(payload, opened);
        Assert.True(QuestionMessage.TryParse(opened, out QuestionMessage parsed));
        Assert.Equal((0x1122334455667788UL, (int)DhtMethod.Ping), (parsed.CallId, parsed.Method));
    }

    [Fact]
    public void Ping_of_a_serving_node_is_answered()
    {
        Dictionary<string, byte[]> vector = Read("ping.txt", "dht");
        using var own = TransportKey.Import(vector["receiver-private"]);
        using NodeMachine node = new(
            new NodeOptions { Serve = true, Advertise = There }, own, local: null, new CountingRandom(9), new WallClock(Instant.Zero, Wall), Instant.Zero);
        node.Handle(Instant.Zero, Here, (byte[])vector["question"].Clone(), vector["question"].Length);
        byte[] answer = Transmit(node, Here)[0];
        Assert.InRange(answer.Length, 1, vector["question"].Length);
        Assert.Equal(Stranger.BigEndian(0x1122334455667788), answer[1..9]);

        CborReader reader = new(Stranger.OpenAnswer(vector["asker-private"], vector["receiver-public"], answer), CborConformanceMode.Canonical);
        Assert.Equal(4, reader.ReadStartMap());
        Assert.Equal(0, reader.ReadInt32());
        Assert.Equal([203, 0, 113, 7, 4000 >> 8, 4000 & 0xFF], reader.ReadByteString());
        Assert.Equal(1, reader.ReadInt32());
        Assert.Equal(16, reader.ReadByteString().Length);
        Assert.Equal(3, reader.ReadInt32());
        Assert.InRange(reader.ReadInt32(), 0, 7);
        Assert.Equal(4, reader.ReadInt32());
        Assert.Equal(0, reader.ReadStartMap());
        reader.ReadEndMap();
        reader.ReadEndMap();
    }

    [Fact]
    public void Handshake_is_the_golden_bytes_on_both_sides()
    {
        Dictionary<string, byte[]> vector = Read("handshake.txt");
        byte[] handshakeId = vector["initiation"][2..10];
        byte[] prologue = Stranger.Prologue(vector["target-trust-id"], handshakeId);
        AssertHex(vector["initiation-payload"], Stranger.HandshakePayload(
            "alice's delegation"u8.ToArray(), Protocol, 0xA1A1, new byte[16], [1, 2, 3], [4, 1], [4, 5], "app"u8.ToArray()));
        AssertHex(vector["response-payload"], Stranger.HandshakePayload("bob's delegation"u8.ToArray(), null, 0xB2B2, new byte[16], [6], [1], [], null));

        byte[] noise = NoiseByTheBook.Initiate(
            prologue, vector["initiator-static-private"], vector["initiator-ephemeral-private"],
            Primitives.PublicOf(vector["responder-static-private"]), vector["initiation-payload"], out NoiseByTheBook initiator);
        AssertHex(vector["initiation"], Stranger.Initiation(handshakeId, noise, padToBytes: 0));
        AssertHex(vector["initiation-with-cookie"], Stranger.Initiation(handshakeId, noise, padToBytes: 0, Stranger.CookieOfRetry(vector["retry"], handshakeId)));

        byte[] told = NoiseByTheBook.ReadInitiation(prologue, vector["responder-static-private"], noise, out NoiseByTheBook responder, out byte[] initiatorStatic);
        AssertHex(vector["initiation-payload"], told);
        byte[] answer = responder.Respond(vector["responder-ephemeral-private"], noise[..32], initiatorStatic, vector["response-payload"]);
        AssertHex(vector["response"], Stranger.Response(handshakeId, answer));

        byte[] heard = initiator.ReadResponse(vector["initiator-static-private"], vector["initiator-ephemeral-private"], answer);
        AssertHex(vector["response-payload"], heard);
        AssertHex(vector["handshake-hash"], initiator.HandshakeHash);
        AssertHex(vector["responder-receive-secret"], initiator.Secrets().Initiator);
        AssertHex(vector["responder-send-secret"], initiator.Secrets().Responder);
    }

    [Fact]
    public void Response_to_the_shipped_initiator_is_read()
    {
        Dictionary<string, byte[]> vector = Read("handshake.txt");
        using var alice = TransportKey.Import(vector["initiator-static-private"]);
        using var bob = TransportKey.Import(vector["responder-static-private"]);
        HandshakePayload payload = new()
        {
            Delegation = "alice's delegation"u8,
            Protocol = Protocol,
            ConnectionId = 1,
            ResetToken = new byte[16],
            TransportParameters = default,
            CipherSuites = new[] { CipherSuite.ChaCha20Poly1305 },
            Candidates = default,
        };
        Assert.True(HandshakeInitiator.TryCreate(alice, bob.Public, vector["target-trust-id"], new CountingRandom(0x70), payload, out HandshakeInitiator? shipped));
        byte[] datagram = new byte[1200];
        Assert.True(shipped.TryWrite(isPadded: true, datagram, out _));
        byte[] handshakeId = datagram[2..10];
        int noiseBytes = BinaryPrimitives.ReadUInt16BigEndian(datagram.AsSpan(11));
        byte[] noise = datagram[13..(13 + noiseBytes)];

        _ = NoiseByTheBook.ReadInitiation(
            Stranger.Prologue(vector["target-trust-id"], handshakeId), vector["responder-static-private"], noise, out NoiseByTheBook responder, out byte[] initiatorStatic);
        byte[] answer = responder.Respond(vector["responder-ephemeral-private"], noise[..32], initiatorStatic, vector["response-payload"]);
        Assert.True(shipped.TryReadResponse(Instant.Zero, Stranger.Response(handshakeId, answer), out SessionKeys? keys));
        AssertHex(responder.Secrets().Initiator, keys.SendSecret);
        AssertHex(responder.Secrets().Responder, keys.ReceiveSecret);
        AssertHex(responder.HandshakeHash, keys.HandshakeHash);
        shipped.Dispose();
        keys.Dispose();
    }

    [Fact]
    public void Session_packets_are_the_golden_bytes()
    {
        Dictionary<string, byte[]> vector = Read("packets.txt", "session");
        AssertHex(Read("handshake.txt")["responder-receive-secret"], vector["initiator-send-secret"]);
        byte[] next = Primitives.Expand(vector["initiator-send-secret"], "carrier 1 key update"u8, 32);
        foreach ((string name, byte[] secret, int phase) in new[]
        {
            ("first", vector["initiator-send-secret"], 0), ("later", vector["initiator-send-secret"], 0), ("next-phase", next, 1),
        })
        {
            ulong number = BinaryPrimitives.ReadUInt64BigEndian(vector[$"{name}-packet-number"]);
            AssertHex(vector[$"{name}-packet"], Stranger.Packet(secret, vector["destination-connection-id"], number, vector[$"{name}-frames"], phase));

            // And so does the shipped code.
            using var cipher = PacketCipher.Create(CipherSuite.ChaCha20Poly1305, secret);
            byte[] packet = (byte[])vector[$"{name}-packet"].Clone();
            Assert.True(SessionPacket.TryParse(packet, out SessionPacket header));
            Assert.Equal((phase == 1, number), (header.Phase, SessionPacket.ExpandNumber(number - Math.Min(number, 3), header.TruncatedNumber)));
            Assert.True(cipher.TryOpen(number, packet.AsSpan(0, SessionPacket.HeaderBytes), packet.AsSpan(SessionPacket.HeaderBytes)));
            AssertHex(vector[$"{name}-frames"], packet.AsSpan(SessionPacket.HeaderBytes..^cipher.TagBytes));
        }

        Assert.True(SessionPacket.TryParseReset(vector["reset"], out ConnectionId id, out ResetToken token));
        Assert.Equal(ResetToken.Derive(vector["reset-key"], id), token);
        Span<byte> parameters = stackalloc byte[TransportParameters.MaxEncodedBytes];
        AssertHex(vector["transport-parameters-default"], parameters[..TransportParameters.Default.Write(parameters)]);
    }

    // Key compromise impersonation: in IK a stolen responder key lets its thief open a handshake as anybody. It must not get to finish one.
    [Fact]
    public void Dial_as_somebody_else_by_a_thief_of_our_own_key_surfaces_no_session()
    {
        using LocalIdentity bob = MakeIdentity(3);
        using LocalIdentity alice = MakeIdentity(4);
        using var transport = TransportKey.Generate(new CountingRandom(50));
        using NodeMachine node = new(new NodeOptions(), transport, bob, new CountingRandom(60), new WallClock(Instant.Zero, Wall), Instant.Zero);
        node.Listen(Protocol);
        byte[] stolen = bob.Device.ExchangePrivate.ToArray();
        byte[] alicePublic = alice.Device.ExchangeKey.Span.ToArray();
        byte[] ephemeral = [.. Enumerable.Repeat((byte)0x55, 32)];
        byte[] target = new byte[20];
        bob.TrustId.CopyTo(target);
        byte[] handshakeId = [1, 2, 3, 4, 5, 6, 7, 8];
        byte[] payload = Stranger.HandshakePayload(alice.Delegation.Encoded.ToArray(), Protocol, 0xA1A1, new byte[16], [], [1], [], application: null);
        NoiseByTheBook state = Begin(out byte[] noise);
        node.Handle(Instant.Zero, Here, Stranger.Initiation(handshakeId, noise, padToBytes: 1200), 1200);

        byte[] response = Stranger.NoiseOfResponse(Transmit(node, Here).Single(datagram => datagram[0] == 0x51), handshakeId);
        foreach (byte[] insteadOfAlices in (byte[][])[stolen, ephemeral])
        {
            Assert.ThrowsAny<Exception>(() => Begin(out _).ReadResponse(insteadOfAlices, ephemeral, response));
        }

        // Nor does anything sealed with what the thief has so far confirm the session.
        byte[] ping = Stranger.Packet(state.Secrets().Initiator, new byte[8], 0, [0x01]);
        node.Handle(Instant.Zero, Here, ping, ping.Length);
        Assert.False(Surfaces(node));
        node.HandleTimeout(Instant.Zero + TimeSpan.FromSeconds(11));
        Assert.Empty(node.Sessions);

        NoiseByTheBook Begin(out byte[] noise)
        {
            noise = NoiseByTheBook.Initiate(
                Stranger.Prologue(target, handshakeId), alicePublic, Primitives.Agree(stolen, alicePublic), ephemeral, bob.Device.ExchangeKey.Span.ToArray(), payload, out NoiseByTheBook begun);
            return begun;
        }
    }

    [Fact]
    public void Dial_of_a_shipped_node_surfaces_a_session_after_the_first_packet()
    {
        Dictionary<string, byte[]> vector = Read("handshake.txt");
        using LocalIdentity bob = MakeIdentity(3);
        using LocalIdentity alice = MakeIdentity(4);
        using var transport = TransportKey.Generate(new CountingRandom(50));
        using NodeMachine node = new(new NodeOptions(), transport, bob, new CountingRandom(60), new WallClock(Instant.Zero, Wall), Instant.Zero);
        node.Listen(Protocol);

        byte[] target = new byte[20];
        bob.TrustId.CopyTo(target);
        byte[] handshakeId = [1, 2, 3, 4, 5, 6, 7, 8];
        byte[] payload = Stranger.HandshakePayload(
            alice.Delegation.Encoded.ToArray(), Protocol, 0xA1A1, new byte[16], [], [1], [], application: null);
        byte[] aliceStatic = alice.Device.ExchangePrivate.ToArray();
        byte[] noise = NoiseByTheBook.Initiate(
            Stranger.Prologue(target, handshakeId), aliceStatic, vector["initiator-ephemeral-private"], bob.Device.ExchangeKey.Span.ToArray(), payload, out NoiseByTheBook state);
        node.Handle(Instant.Zero, Here, Stranger.Initiation(handshakeId, noise, padToBytes: 1200), 1200);
        Assert.False(Surfaces(node));

        byte[] response = Transmit(node, Here).Single(datagram => datagram[0] == 0x51);
        byte[] answer = state.ReadResponse(aliceStatic, vector["initiator-ephemeral-private"], Stranger.NoiseOfResponse(response, handshakeId));
        CborReader reader = new(answer, CborConformanceMode.Canonical);
        _ = reader.ReadStartMap();
        Assert.Equal(1, reader.ReadInt32());
        AssertHex(bob.Delegation.Encoded.ToArray(), reader.ReadByteString());
        Assert.Equal(3, reader.ReadInt32());
        byte[] connectionId = reader.ReadByteString();

        byte[] ping = Stranger.Packet(state.Secrets().Initiator, connectionId, 0, [0x01]);
        node.Handle(Instant.Zero, Here, ping, ping.Length);
        Assert.True(Surfaces(node));
        byte[] reply = Transmit(node, Here).First(datagram => datagram[0] == 0x60);
        Assert.Equal(Stranger.BigEndian(0xA1A1), reply[1..9]);
        Assert.NotEmpty(Stranger.OpenPacket(state.Secrets().Responder, BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(9)), reply));
    }

    private static bool Surfaces(NodeMachine node)
    {
        bool incoming = false;
        while (node.TryEffect(Instant.Zero, out NodeEffect effect))
        {
            incoming |= effect.Kind == NodeEffectKind.Incoming;
        }

        return incoming;
    }

    private static List<byte[]> Transmit(NodeMachine node, Endpoint to)
    {
        List<byte[]> sent = [];
        byte[] buffer = new byte[65_536];
        while (node.TryTransmit(Instant.Zero, buffer, out Transmit transmit))
        {
            if (transmit.Path.Remote == to)
            {
                sent.Add(buffer[..Math.Min(transmit.Bytes, transmit.SegmentBytes)]);
            }
        }

        return sent;
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
