using System.Buffers.Binary;
using System.Numerics;
using Carrier.Core;

namespace Carrier.Simulation;

/// <summary>A <see cref="RandomSource"/> that repeats: xoshiro256** (Blackman &amp; Vigna 2018), seeded through SplitMix64. Fit for simulated keys only.</summary>
public sealed class SeededRandom : RandomSource
{
    private ulong _s0, _s1, _s2, _s3;

    public SeededRandom(ulong seed = 1)
    {
        _s0 = SplitMix(ref seed);
        _s1 = SplitMix(ref seed);
        _s2 = SplitMix(ref seed);
        _s3 = SplitMix(ref seed);
    }

    /// <summary>A generator of its own for one part of a scenario, so that what another part draws does not shift it.</summary>
    public SeededRandom Fork() => new(Next());

    public override void Fill(Span<byte> destination)
    {
        while (destination.Length >= sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(destination, Next());
            destination = destination[sizeof(ulong)..];
        }

        if (!destination.IsEmpty)
        {
            Span<byte> tail = stackalloc byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(tail, Next());
            tail[..destination.Length].CopyTo(destination);
        }
    }

    private ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    private static ulong SplitMix(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
