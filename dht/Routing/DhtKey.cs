using System.Buffers.Binary;
using System.Numerics;
using Carrier.Core;

namespace Carrier.Dht.Routing;

/// <summary>A point of the 160-bit key space (Maymounkov 2002 §2.1): the id of a node or the target of a record.</summary>
/// <remarks>20 bytes on the wire, most significant first.</remarks>
public readonly struct DhtKey : IEquatable<DhtKey>
{
    public const int Bytes = 20;
    public const int Bits = Bytes * 8;

    private readonly ulong _high;
    private readonly ulong _middle;
    private readonly uint _low;

    private DhtKey(ulong high, ulong middle, uint low)
    {
        _high = high;
        _middle = middle;
        _low = low;
    }

    /// <summary>Takes exactly 20 bytes; a parser checks the length first.</summary>
    public DhtKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Bytes)
        {
            throw new ArgumentException("A key of the DHT has 20 bytes.", nameof(bytes));
        }

        _high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _middle = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _low = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
    }

    public static bool operator ==(DhtKey left, DhtKey right) => left.Equals(right);

    public static bool operator !=(DhtKey left, DhtKey right) => !left.Equals(right);

    public static DhtKey Random(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        return new(random.NextUInt64(), random.NextUInt64(), (uint)random.NextUInt64());
    }

    /// <summary>A random key whose first bit different from this key's is bit <paramref name="sharedBits"/>: a key of that bucket.</summary>
    public DhtKey RandomAtPrefix(int sharedBits, RandomSource random)
    {
        DhtKey mask = OnesAfter(sharedBits);
        DhtKey noise = Random(random);
        DhtKey flip = Xor(OnesAfter(sharedBits - 1), mask);
        return new(
            _high ^ flip._high ^ (noise._high & mask._high),
            _middle ^ flip._middle ^ (noise._middle & mask._middle),
            _low ^ flip._low ^ (noise._low & mask._low));
    }

    /// <summary>The XOR metric (Maymounkov 2002 §2.1).</summary>
    public Distance DistanceTo(DhtKey other) => new(_high ^ other._high, _middle ^ other._middle, _low ^ other._low);

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _middle);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], _low);
    }

    public bool Equals(DhtKey other) => _high == other._high && _middle == other._middle && _low == other._low;

    public override bool Equals(object? obj) => obj is DhtKey other && Equals(other);

    // Seeded by the runtime: peers choose targets, and must not choose collisions.
    public override int GetHashCode() => HashCode.Combine(_high, _middle, _low);

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    private static DhtKey Xor(DhtKey a, DhtKey b) => new(a._high ^ b._high, a._middle ^ b._middle, a._low ^ b._low);

    /// <summary>Zeros up to and with bit <paramref name="bit"/> (0 is the most significant, -1 none), ones after it.</summary>
    private static DhtKey OnesAfter(int bit)
    {
        int zeros = bit + 1;
        return new(
            zeros >= 64 ? 0 : ulong.MaxValue >> zeros,
            zeros >= 128 ? 0 : ulong.MaxValue >> Math.Max(0, zeros - 64),
            zeros >= 160 ? 0 : uint.MaxValue >> Math.Max(0, zeros - 128));
    }
}

/// <summary>How far two keys are apart: their exclusive or, compared as a 160-bit number.</summary>
public readonly record struct Distance : IComparable<Distance>
{
    private const double TwoToMinus64 = 1.0 / 18446744073709551616.0;

    private readonly ulong _high;
    private readonly ulong _middle;
    private readonly uint _low;

    internal Distance(ulong high, ulong middle, uint low)
    {
        _high = high;
        _middle = middle;
        _low = low;
    }

    /// <summary>How many leading bits the two keys share, 0 to 160.</summary>
    public int SharedBits => _high != 0 ? BitOperations.LeadingZeroCount(_high)
        : _middle != 0 ? 64 + BitOperations.LeadingZeroCount(_middle)
        : 128 + BitOperations.LeadingZeroCount(_low);

    /// <summary>The distance as a fraction of the key space, in [0, 1).</summary>
    public double Fraction => (_high * TwoToMinus64) + (_middle * TwoToMinus64 * TwoToMinus64);

    public static bool operator <(Distance left, Distance right) => left.CompareTo(right) < 0;

    public static bool operator >(Distance left, Distance right) => left.CompareTo(right) > 0;

    public static bool operator <=(Distance left, Distance right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Distance left, Distance right) => left.CompareTo(right) >= 0;

    public int CompareTo(Distance other)
    {
        int order = _high.CompareTo(other._high);
        order = order != 0 ? order : _middle.CompareTo(other._middle);
        return order != 0 ? order : _low.CompareTo(other._low);
    }
}
