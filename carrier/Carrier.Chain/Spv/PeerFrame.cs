using System.Buffers.Binary;
using System.Text;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Spv;

/// <summary>A message of the peer protocol, framed.</summary>
/// <remarks>
/// <code>
///  0       4                16       20         24
///  +-------+----------------+--------+----------+---------+
///  | magic | command, zeros | length | checksum | payload |     checksum = first four bytes of SHA256d(payload)
///  +-------+----------------+--------+----------+---------+
/// </code>
/// </remarks>
public static class PeerFrame
{
    public const int HeaderBytes = 24;

    public const int CommandBytes = 12;

    /// <summary>Longest payload read: a block.</summary>
    public const int MaxPayloadBytes = 10_000_000;

    private const int CommandAt = 4;
    private const int LengthAt = 16;
    private const int ChecksumAt = 20;

    public static byte[] Encode(uint magic, string command, ReadOnlySpan<byte> payload)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(command.Length, CommandBytes);
        byte[] frame = new byte[HeaderBytes + payload.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, magic);
        Encoding.ASCII.GetBytes(command, frame.AsSpan(CommandAt));
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(LengthAt), (uint)payload.Length);
        Checksum(payload, frame.AsSpan(ChecksumAt, sizeof(uint)));
        payload.CopyTo(frame.AsSpan(HeaderBytes));
        return frame;
    }

    /// <summary>Reads a frame's header; the length is within bounds when it is read.</summary>
    public static FrameReading TryReadHeader(ReadOnlySpan<byte> header, uint magic, out string command, out int length)
    {
        command = "";
        length = 0;
        if (header.Length < HeaderBytes)
        {
            return FrameReading.Truncated;
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != magic)
        {
            return FrameReading.WrongMagic;
        }

        ReadOnlySpan<byte> name = header.Slice(CommandAt, CommandBytes);
        int end = name.IndexOf((byte)0);
        ReadOnlySpan<byte> text = end < 0 ? name : name[..end];
        if (text.ContainsAnyExceptInRange((byte)'a', (byte)'z') || (end >= 0 && name[end..].ContainsAnyExcept((byte)0)))
        {
            return FrameReading.BadCommand;
        }

        uint declared = BinaryPrimitives.ReadUInt32LittleEndian(header[LengthAt..]);
        if (declared > MaxPayloadBytes)
        {
            return FrameReading.TooLong;
        }

        command = Encoding.ASCII.GetString(text);
        length = (int)declared;
        return FrameReading.Read;
    }

    /// <summary>True when the payload has the checksum its header states.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload)
    {
        Span<byte> checksum = stackalloc byte[sizeof(uint)];
        Checksum(payload, checksum);
        return checksum.SequenceEqual(header.Slice(ChecksumAt, sizeof(uint)));
    }

    private static void Checksum(ReadOnlySpan<byte> payload, Span<byte> checksum)
    {
        Span<byte> digest = stackalloc byte[Hash256.Bytes];
        Hash256.DoubleSha256(payload).CopyTo(digest);
        digest[..checksum.Length].CopyTo(checksum);
    }
}

/// <summary>What a frame's header is.</summary>
public enum FrameReading
{
    Read,
    Truncated,

    /// <summary>Of another network.</summary>
    WrongMagic,
    BadCommand,
    TooLong,
}
