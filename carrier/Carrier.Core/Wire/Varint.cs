using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Carrier.Core.Wire;

/// <summary>Variable-length integers of RFC 9000 §16: the two top bits of the first byte give the length, 1, 2, 4 or 8 bytes, big-endian.</summary>
public static class Varint
{
    public const ulong MaxValue = (1UL << 62) - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Length(ulong value) =>
        value < 1UL << 6 ? 1 : value < 1UL << 14 ? 2 : value < 1UL << 30 ? 4 : value <= MaxValue ? 8 : ThrowTooLarge(value);

    /// <summary>Writes the shortest form and returns its length; the destination must have room.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Write(Span<byte> destination, ulong value)
    {
        int length = Length(value);
        switch (length)
        {
            case 1:
                destination[0] = (byte)value;
                break;
            case 2:
                BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)(value | 0x4000));
                break;
            case 4:
                BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)(value | 0x8000_0000));
                break;
            default:
                BinaryPrimitives.WriteUInt64BigEndian(destination, value | 0xC000_0000_0000_0000);
                break;
        }

        return length;
    }

    private static int ThrowTooLarge(ulong value) => throw new ArgumentOutOfRangeException(nameof(value), value, "A varint has 62 bits.");

    /// <summary>Reads one integer and moves <paramref name="source"/> past it. Longer-than-needed forms are accepted, as in QUIC.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool TryRead(ref ReadOnlySpan<byte> source, out ulong value)
    {
        value = 0;
        if (source.IsEmpty)
        {
            return false;
        }

        int length = 1 << (source[0] >> 6);
        if (source.Length < length)
        {
            return false;
        }

        value = length switch
        {
            1 => source[0],
            2 => BinaryPrimitives.ReadUInt16BigEndian(source) & 0x3FFFUL,
            4 => BinaryPrimitives.ReadUInt32BigEndian(source) & 0x3FFF_FFFFUL,
            _ => BinaryPrimitives.ReadUInt64BigEndian(source) & MaxValue,
        };
        source = source[length..];
        return true;
    }
}
