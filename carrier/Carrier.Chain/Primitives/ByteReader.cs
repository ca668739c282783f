using System.Buffers.Binary;

namespace Carrier.Chain.Primitives;

/// <summary>Reads the chain's encoding over a span: little-endian numbers and varint-prefixed lists. Nothing throws; after a failure the position is spent.</summary>
/// <remarks>
/// varint: one byte below FD; FD and two; FE and four; FF and eight. A longer form than needed is refused: what was read must encode to the same bytes, or
/// ids computed here would not be the chain's.
/// </remarks>
public ref struct ByteReader(ReadOnlySpan<byte> data)
{
    private readonly ReadOnlySpan<byte> _data = data;

    public int Position { get; private set; }

    public readonly int Remaining => _data.Length - Position;

    public readonly bool AtEnd => Remaining == 0;

    /// <summary>What was read since <paramref name="start"/>.</summary>
    public readonly ReadOnlySpan<byte> Since(int start) => _data[start..Position];

    public bool TryReadByte(out byte value)
    {
        bool read = TryReadSpan(1, out ReadOnlySpan<byte> bytes);
        value = read ? bytes[0] : default;
        return read;
    }

    public bool TryReadUInt16(out ushort value)
    {
        bool read = TryReadSpan(sizeof(ushort), out ReadOnlySpan<byte> bytes);
        value = read ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : default;
        return read;
    }

    public bool TryReadUInt32(out uint value)
    {
        bool read = TryReadSpan(sizeof(uint), out ReadOnlySpan<byte> bytes);
        value = read ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : default;
        return read;
    }

    public bool TryReadUInt64(out ulong value)
    {
        bool read = TryReadSpan(sizeof(ulong), out ReadOnlySpan<byte> bytes);
        value = read ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : default;
        return read;
    }

    public bool TryReadHash(out Hash256 value)
    {
        bool read = TryReadSpan(Hash256.Bytes, out ReadOnlySpan<byte> bytes);
        value = read ? new Hash256(bytes) : default;
        return read;
    }

    /// <summary>A view into the data.</summary>
    public bool TryReadSpan(int count, out ReadOnlySpan<byte> value)
    {
        if ((uint)count > (uint)Remaining)
        {
            value = default;
            return false;
        }

        value = _data.Slice(Position, count);
        Position += count;
        return true;
    }

    public bool TryReadVarint(out ulong value)
    {
        value = 0;
        if (!TryReadByte(out byte first))
        {
            return false;
        }

        switch (first)
        {
            case < 0xFD:
                value = first;
                return true;
            case 0xFD:
                bool read = TryReadUInt16(out ushort two);
                value = two;
                return read && two >= 0xFD;
            case 0xFE:
                read = TryReadUInt32(out uint four);
                value = four;
                return read && four > ushort.MaxValue;
            default:
                return TryReadUInt64(out value) && value > uint.MaxValue;
        }
    }

    /// <summary>A varint length of at most <paramref name="maxBytes"/>, then that many bytes, as a view.</summary>
    public bool TryReadBytes(int maxBytes, out ReadOnlySpan<byte> value)
    {
        value = default;
        return TryReadVarint(out ulong length) && length <= (ulong)maxBytes && TryReadSpan((int)length, out value);
    }

    /// <summary>A varint count of items of at least <paramref name="minItemBytes"/> each: never more than what is left could hold.</summary>
    public bool TryReadCount(int maxCount, int minItemBytes, out int count)
    {
        count = 0;
        if (!TryReadVarint(out ulong value) || value > (ulong)maxCount || value > (ulong)(Remaining / minItemBytes))
        {
            return false;
        }

        count = (int)value;
        return true;
    }
}
