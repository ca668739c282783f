using System.Buffers.Binary;

namespace Carrier.Core;

/// <summary>Where a machine gets its randomness: the operating system's generator in the shell, a seeded one in the simulator.</summary>
public abstract class RandomSource
{
    /// <summary>Fills <paramref name="destination"/> with bytes fit for keys.</summary>
    public abstract void Fill(Span<byte> destination);

    public ulong NextUInt64()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>A uniform number in [0, <paramref name="exclusiveMax"/>).</summary>
    public int NextInt32(int exclusiveMax)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(exclusiveMax);
        // A 64-bit draw scaled to 31 bits: the bias is below 2^-32.
        return (int)(((UInt128)NextUInt64() * (uint)exclusiveMax) >> 64);
    }

    /// <summary>A uniform fraction in [0, 1).</summary>
    public double NextFraction() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));
}
