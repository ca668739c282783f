using System.Buffers.Binary;

namespace Carrier.Fuzz;

/// <summary>Makes inputs of inputs: a few random edits, now and then a splice of two parents. The same seed makes the same children.</summary>
internal sealed class Mutator(int seed)
{
    /// <summary>Edits a child gets at most, as a power of two.</summary>
    private const int MaxEditsLog2 = 4;

    /// <summary>Longest run that is removed, repeated or copied in.</summary>
    private const int MaxRunBytes = 64;

    // Ends of ranges, heads of CBOR (the long forms above all), frame types and varint lengths: what parsers branch on.
    private static readonly byte[] Telling =
    [
        0x00, 0x01, 0x02, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x3F, 0x40, 0x46, 0x50, 0x52, 0x54, 0x58, 0x59, 0x5B, 0x60, 0x7F,
        0x80, 0x9B, 0xA0, 0xA1, 0xBB, 0xBF, 0xC0, 0xF4, 0xF5, 0xF6, 0xFF,
    ];

    private readonly Random _random = new(seed);

    /// <summary>A number below <paramref name="exclusiveMax"/>, from the same stream as the edits.</summary>
    public int Next(int exclusiveMax) => _random.Next(exclusiveMax);

    /// <summary>Writes a child of <paramref name="parent"/> and returns its length; bytes may come of <paramref name="other"/> too.</summary>
    public int Mutate(ReadOnlySpan<byte> parent, ReadOnlySpan<byte> other, Span<byte> child)
    {
        int length = Math.Min(parent.Length, child.Length);
        parent[..length].CopyTo(child);
        int edits = 1 << _random.Next(MaxEditsLog2 + 1);
        for (int i = 0; i < edits; i++)
        {
            length = Edit(child, length, other);
        }

        return length;
    }

    private int Edit(Span<byte> child, int length, ReadOnlySpan<byte> other)
    {
        if (length == 0)
        {
            return Insert(child, length, RandomBytes(stackalloc byte[MaxRunBytes]));
        }

        int at = _random.Next(length);
        switch (_random.Next(10))
        {
            case 0:
                child[at] ^= (byte)(1 << _random.Next(8));
                return length;
            case 1:
                child[at] = (byte)_random.Next(256);
                return length;
            case 2:
                child[at] = Telling[_random.Next(Telling.Length)];
                return length;
            case 3:
                child[at] += (byte)(_random.Next(35) - 17);
                return length;
            case 4:
                WriteNumber(child[at..length]);
                return length;
            case 5:
                int removed = Run(length - at);
                child[(at + removed)..length].CopyTo(child[at..]);
                return length - removed;
            case 6:
                Span<byte> repeated = stackalloc byte[MaxRunBytes];
                int run = Run(length - at);
                child.Slice(at, run).CopyTo(repeated);
                return Insert(child, length, repeated[..run]);
            case 7:
                return Insert(child, length, RandomBytes(stackalloc byte[MaxRunBytes]));
            case 8 when !other.IsEmpty:
                int from = _random.Next(other.Length);
                return Insert(child, length, other.Slice(from, Run(other.Length - from)));
            case 9 when !other.IsEmpty:
                ReadOnlySpan<byte> tail = other[_random.Next(other.Length)..];
                tail = tail[..Math.Min(tail.Length, child.Length - at)];
                tail.CopyTo(child[at..]);
                return at + tail.Length;
            default:
                return length;
        }
    }

    private Span<byte> RandomBytes(Span<byte> room)
    {
        Span<byte> bytes = room[..(1 + _random.Next(8))];
        _random.NextBytes(bytes);
        return bytes;
    }

    private int Insert(Span<byte> child, int length, ReadOnlySpan<byte> bytes)
    {
        if (length + bytes.Length > child.Length)
        {
            return length;
        }

        int at = _random.Next(length + 1);
        child[at..length].CopyTo(child[(at + bytes.Length)..]);
        bytes.CopyTo(child[at..]);
        return length + bytes.Length;
    }

    // The ends of 16, 32 and 64 bits, where narrowing and sums go wrong.
    private void WriteNumber(Span<byte> room)
    {
        ulong value = (1UL << _random.Next(64)) - (ulong)_random.Next(2);
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        Span<byte> tail = bytes[(sizeof(ulong) - (1 << _random.Next(4)))..];
        tail[..Math.Min(tail.Length, room.Length)].CopyTo(room);
    }

    private int Run(int available) => 1 + _random.Next(Math.Min(available, MaxRunBytes));
}
