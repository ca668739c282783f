using System.Diagnostics.CodeAnalysis;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Spv;

/// <summary>What a node is told to look for (BIP 37): program hashes of outputs, outpoints of spends. It tells the node roughly which addresses are ours.</summary>
public sealed class BloomFilter
{
    /// <summary>Longest filter nodes take.</summary>
    public const int MaxBytes = 36_000;

    /// <summary>Most hash functions nodes take.</summary>
    public const int MaxHashFunctions = 50;

    private const uint SeedStep = 0xFBA4_C795;

    private readonly byte[] _bits;

    public BloomFilter(int bytes, uint hashFunctions, uint tweak)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, MaxBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hashFunctions, (uint)MaxHashFunctions);
        _bits = new byte[bytes];
        HashFunctions = hashFunctions;
        Tweak = tweak;
    }

    private BloomFilter(ReadOnlySpan<byte> bits, uint hashFunctions, uint tweak)
        : this(bits.Length, hashFunctions, tweak) => bits.CopyTo(_bits);

    public uint HashFunctions { get; }

    public uint Tweak { get; }

    public ReadOnlySpan<byte> Bits => _bits;

    /// <summary>A filter for some items with about one false hit in a thousand (Bloom 1970).</summary>
    public static BloomFilter For(int items, uint tweak)
    {
        const double FalsePositives = 0.001;
        double bits = -Math.Max(items, 1) * Math.Log(FalsePositives) / (Math.Log(2) * Math.Log(2));
        int bytes = Math.Clamp((int)Math.Ceiling(bits / 8), 8, MaxBytes);
        uint functions = (uint)Math.Clamp(Math.Round(bytes * 8.0 / Math.Max(items, 1) * Math.Log(2)), 1, MaxHashFunctions);
        return new BloomFilter(bytes, functions, tweak);
    }

    /// <summary>A filter that matches every transaction.</summary>
    public static BloomFilter Everything() => new([byte.MaxValue], hashFunctions: 1, tweak: 0);

    /// <summary>A filter as a peer loads it; false when it is longer or takes more hash functions than nodes allow.</summary>
    public static bool TryFrom(ReadOnlySpan<byte> bits, uint hashFunctions, uint tweak, [NotNullWhen(true)] out BloomFilter? filter)
    {
        filter = bits.Length is > 0 and <= MaxBytes && hashFunctions <= MaxHashFunctions ? new BloomFilter(bits, hashFunctions, tweak) : null;
        return filter is not null;
    }

    public void Add(ProgramHash owner) => Add(owner.Span);

    public void Add(OutPoint point)
    {
        Span<byte> item = stackalloc byte[OutPoint.Bytes];
        point.CopyTo(item);
        Add(item);
    }

    public void Add(ReadOnlySpan<byte> item)
    {
        for (uint i = 0; i < HashFunctions; i++)
        {
            uint bit = Murmur3.Hash(unchecked((i * SeedStep) + Tweak), item) % ((uint)_bits.Length * 8);
            _bits[bit >> 3] |= (byte)(1 << (int)(bit & 7));
        }
    }

    public bool Contains(ReadOnlySpan<byte> item)
    {
        bool contained = true;
        for (uint i = 0; contained && i < HashFunctions; i++)
        {
            uint bit = Murmur3.Hash(unchecked((i * SeedStep) + Tweak), item) % ((uint)_bits.Length * 8);
            contained = (_bits[bit >> 3] & (1 << (int)(bit & 7))) != 0;
        }

        return contained;
    }
}
