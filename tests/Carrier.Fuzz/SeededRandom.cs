using Carrier.Core;

namespace Carrier.Fuzz;

/// <summary>Bytes that repeat from their seed, so that an input that fails once fails always. The corpus holds messages sealed to keys made of them.</summary>
internal sealed class SeededRandom(int seed) : RandomSource
{
    private readonly Random _random = new(seed);

    public override void Fill(Span<byte> destination) => _random.NextBytes(destination);
}
