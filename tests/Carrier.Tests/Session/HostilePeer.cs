using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session;
using Carrier.Core.Session.Frames;
using Carrier.Core.Wire;

namespace Carrier.Tests.Session;

/// <summary>An initiator that holds the keys and says whatever it likes: every frame it sends is authentic and none need be honest.</summary>
internal sealed class HostilePeer : IDisposable
{
    private readonly PacketCipher _seal;
    private readonly PacketCipher _open;
    private readonly byte[] _packet = new byte[2_000];
    private readonly byte[] _buffer = new byte[65_536];

    public HostilePeer(SessionPair pair)
    {
        Pair = pair;
        Victim = pair.Responder;
        Target = pair.ResponderId;
        _seal = PacketCipher.Create(CipherSuite.ChaCha20Poly1305, pair.Up);
        _open = PacketCipher.Create(CipherSuite.ChaCha20Poly1305, pair.Down);
        Send([(byte)FrameType.Ping]);
    }

    public SessionPair Pair { get; }

    public SessionEnd Victim { get; }

    /// <summary>Which of the victim's ids packets are sent to.</summary>
    public ConnectionId Target { get; set; }

    public ulong NextNumber { get; set; }

    public NetworkPath From { get; set; } = new(SessionPair.InitiatorAddress);

    /// <summary>How many bytes the victim sent to each address.</summary>
    public Dictionary<Endpoint, long> SentTo { get; } = [];

    /// <summary>Packet numbers the victim used, and the frames it sent.</summary>
    public List<ulong> VictimNumbers { get; } = [];

    public List<(FrameType Type, ulong Value)> VictimFrames { get; } = [];

    public CloseCode? ClosedWith =>
        Victim.Machine.State is SessionState.Closing or SessionState.Closed ? (CloseCode)Victim.Machine.CloseReason.Code : null;

    public static byte[] Numbers(FrameType type, params ReadOnlySpan<ulong> numbers)
    {
        byte[] bytes = new byte[9 * (numbers.Length + 1)];
        int length = Varint.Write(bytes, (ulong)type);
        foreach (ulong number in numbers)
        {
            length += Varint.Write(bytes.AsSpan(length), number);
        }

        return bytes[..length];
    }

    public static byte[] Stream(ulong id, ulong offset, ReadOnlySpan<byte> data, bool fin = false) =>
        [.. Numbers((FrameType)(0x0E | (fin ? 1 : 0)), id, offset, (ulong)data.Length), .. data];

    public static byte[] NewId(ulong sequence, ulong id) =>
        [.. Numbers(FrameType.NewConnectionId, sequence), .. BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(id)), .. new byte[16]];

    public static byte[] Challenge(ulong token) =>
        [(byte)FrameType.PathChallenge, .. BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(token))];

    /// <summary>Sends one packet of these frames.</summary>
    public void Send(params ReadOnlySpan<byte> frames) => Victim.Machine.Handle(Pair.Now, From, Build(frames));

    public Span<byte> Build(params ReadOnlySpan<byte> frames)
    {
        ulong number = NextNumber++;
        SessionPacket.WriteHeader(_packet, Target, number, phase: false);
        _seal.Seal(number, _packet.AsSpan(0, SessionPacket.HeaderBytes), frames, _packet.AsSpan(SessionPacket.HeaderBytes));
        return _packet.AsSpan(0, frames.Length + SessionPacket.OverheadBytes(CipherSuite.ChaCha20Poly1305));
    }

    /// <summary>Takes what the victim sends, without answering.</summary>
    public void Listen()
    {
        while (Victim.Machine.TryTransmit(Pair.Now, _buffer, out Transmit transmit))
        {
            SentTo[transmit.Path.Remote] = SentTo.GetValueOrDefault(transmit.Path.Remote) + transmit.Bytes;
            for (int at = 0; at < transmit.Bytes; at += transmit.SegmentBytes)
            {
                Open(_buffer.AsSpan(at, Math.Min(transmit.SegmentBytes, transmit.Bytes - at)));
            }
        }
    }

    /// <summary>Lets virtual time pass for the victim alone.</summary>
    public void Wait(TimeSpan time)
    {
        Instant end = Pair.Now + time;
        Listen();
        while (Victim.Machine.NextDeadline <= end)
        {
            Pair.Now = Instant.Max(Pair.Now, Victim.Machine.NextDeadline);
            Victim.Machine.HandleTimeout(Pair.Now);
            Listen();
        }

        Pair.Now = end;
    }

    public void Dispose()
    {
        _seal.Dispose();
        _open.Dispose();
    }

    private void Open(Span<byte> packet)
    {
        Assert.True(SessionPacket.TryParse(packet, out SessionPacket header));
        Span<byte> body = packet[SessionPacket.HeaderBytes..];
        Assert.True(_open.TryOpen(header.TruncatedNumber, packet[..SessionPacket.HeaderBytes], body));
        VictimNumbers.Add(header.TruncatedNumber);
        FrameReader reader = new(body[..^_open.TagBytes]);
        Assert.True(reader.TryReadType(out FrameType type));
        ulong value = 0;
        if (type is FrameType.PathChallenge or FrameType.PathResponse)
        {
            _ = reader.TryReadPathToken(out value);
        }

        VictimFrames.Add((type, value));
    }
}
