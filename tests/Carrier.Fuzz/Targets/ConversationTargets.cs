using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session;
using Carrier.Core.Session.Buffers;

namespace Carrier.Fuzz.Targets;

/// <summary>A whole session against a peer that holds the keys and says what it likes.</summary>
public static class ConversationTargets
{
    private const ulong LocalId = 0x1111_1111;
    private static readonly NetworkPath Path = new(Endpoint.FromIPv4(0xCB00_7107, 61000));
    private static readonly byte[] Up = [.. Enumerable.Range(1, PacketCipher.SecretBytes).Select(i => (byte)i)];
    private static readonly byte[] Down = [.. Enumerable.Range(101, PacketCipher.SecretBytes).Select(i => (byte)i)];
    private static readonly PacketCipher Seal = PacketCipher.Create(CipherSuite.ChaCha20Poly1305, Up);

    /// <summary>Packets of frames, each preceded by its length in two bytes; the application reads, answers and closes. Every buffer comes back.</summary>
    public static void Packets(ReadOnlySpan<byte> data)
    {
        SlabPool pool = new(64, 4);
        SessionMachine session = Open(pool);
        Instant now = Instant.Zero;
        byte[] buffer = new byte[65_536];
        for (uint number = 0; !data.IsEmpty; number++)
        {
            ReadOnlySpan<byte> frames = NodeTargets.TakeChunk(ref data);
            byte[] packet = new byte[frames.Length + SessionPacket.OverheadBytes(CipherSuite.ChaCha20Poly1305)];
            SessionPacket.WriteHeader(packet, new ConnectionId(LocalId), number, phase: false);
            Seal.Seal(number, packet.AsSpan(0, SessionPacket.HeaderBytes), frames, packet.AsSpan(SessionPacket.HeaderBytes));
            session.Handle(now, Path, packet);
            Use(now, session, buffer);
            now += TimeSpan.FromMilliseconds(40);
            session.HandleTimeout(now);
            Use(now, session, buffer);
        }

        session.Dispose();
        Assert.Equal(0, pool.Outstanding);
    }

    private static void Use(Instant now, SessionMachine session, byte[] buffer)
    {
        while (session.TryEffect(out SessionEffect effect))
        {
            if (effect.Kind == SessionEffectKind.StreamReadable)
            {
                int read = session.Read(now, effect.Stream, buffer, out _);
                _ = session.Write(effect.Stream, buffer.AsSpan(0, read));
            }
        }

        while (session.TryReadDatagram(buffer, out _))
        {
        }

        for (int i = 0; i < 16 && session.TryTransmit(now, buffer, out Transmit transmit); i++)
        {
            Assert.InRange(transmit.Bytes, 1, buffer.Length);
        }
    }

    private static SessionMachine Open(SlabPool pool) => new(
        new SessionSetup
        {
            Options = SessionOptions.Default,
            Suite = CipherSuite.ChaCha20Poly1305,
            SendSecret = Down,
            ReceiveSecret = Up,
            Role = SessionRole.Responder,
            Local = TransportParameters.Default,
            Remote = TransportParameters.Default,
            LocalId = new ConnectionId(LocalId),
            RemoteId = new ConnectionId(0x2222_2222),
            RemoteResetToken = default,
            ResetKey = new byte[32],
            Path = Path,
            Random = new SeededRandom(31),
            Pool = pool,
            Drops = new DropCounters(),
        },
        Instant.Zero);
}
