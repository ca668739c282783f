using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Core.Session;

/// <summary>The cleartext header of a session packet, and the packet a node sends about a session it no longer knows.</summary>
/// <remarks>
/// <code>
/// session packet                              stateless reset
///  0      0x60 | key phase (bit 0)             0      0x62
///  1..8   destination connection id            1..8   the connection id that was not known
///  9..12  packet number, low 32 bits           9..24  its reset token
/// 13..    AEAD(frames), then its tag: 16 bytes, AEGIS-128L 32
/// </code>
/// Bytes 0..12 are the associated data. Integers are big-endian.
/// </remarks>
public readonly record struct SessionPacket(ConnectionId Destination, uint TruncatedNumber, bool Phase)
{
    public const int HeaderBytes = 1 + ConnectionId.Bytes + sizeof(uint);

    /// <summary>Tag and at least one frame byte: anything shorter is no session packet.</summary>
    public const int MinBytes = HeaderBytes + CipherSuites.MinTagBytes + 1;

    public const int ResetBytes = 1 + ConnectionId.Bytes + ResetToken.Bytes;

    /// <summary>A packet this long can be answered by a reset, which is always the shorter one: two nodes that both forgot cannot keep each other
    /// busy (RFC 9000 §10.3.3). What asks for an answer is made this long, a keep-alive too, or its sender would not learn that the peer is gone.</summary>
    public const int MinResettableBytes = ResetBytes + MinBytes + 1;

    private const ulong NumberWindow = 1UL << 32;

    /// <summary>What a packet adds to its frames.</summary>
    public static int OverheadBytes(CipherSuite suite) => HeaderBytes + CipherSuites.TagBytes(suite);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool TryParse(ReadOnlySpan<byte> packet, out SessionPacket header)
    {
        header = default;
        if (packet.Length < MinBytes || packet[0] is not ((byte)PacketKind.SessionPhase0 or (byte)PacketKind.SessionPhase1))
        {
            return false;
        }

        header = new(
            ConnectionId.Read(packet[1..]),
            BinaryPrimitives.ReadUInt32BigEndian(packet[(1 + ConnectionId.Bytes)..]),
            packet[0] == (byte)PacketKind.SessionPhase1);
        return true;
    }

    public static void WriteHeader(Span<byte> destination, ConnectionId id, ulong packetNumber, bool phase)
    {
        destination[0] = (byte)(phase ? PacketKind.SessionPhase1 : PacketKind.SessionPhase0);
        id.Write(destination[1..]);
        BinaryPrimitives.WriteUInt32BigEndian(destination[(1 + ConnectionId.Bytes)..], (uint)packetNumber);
    }

    /// <summary>The full number nearest to <paramref name="expected"/>, one more than the highest received (RFC 9000 §A.3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static ulong ExpandNumber(ulong expected, uint truncated)
    {
        ulong candidate = (expected & ~(NumberWindow - 1)) | truncated;
        if (candidate + (NumberWindow / 2) <= expected && candidate < (1UL << 62) - NumberWindow)
        {
            return candidate + NumberWindow;
        }

        return candidate > expected + (NumberWindow / 2) && candidate >= NumberWindow ? candidate - NumberWindow : candidate;
    }

    /// <summary>Writes the <see cref="ResetBytes"/> a node answers a session packet to an unknown <paramref name="id"/> with: shorter than any such
    /// packet, and never answered itself, so neither amplification nor a loop comes of it (RFC 9000 §10.3.3).</summary>
    public static void WriteReset(Span<byte> destination, ConnectionId id, in ResetToken token)
    {
        destination[0] = (byte)PacketKind.SessionReset;
        id.Write(destination[1..]);
        token.Span.CopyTo(destination[(1 + ConnectionId.Bytes)..]);
    }

    public static bool TryParseReset(ReadOnlySpan<byte> packet, out ConnectionId id, out ResetToken token)
    {
        if (packet.Length != ResetBytes || packet[0] != (byte)PacketKind.SessionReset)
        {
            id = default;
            token = default;
            return false;
        }

        id = ConnectionId.Read(packet[1..]);
        token = new(packet[(1 + ConnectionId.Bytes)..]);
        return true;
    }
}
