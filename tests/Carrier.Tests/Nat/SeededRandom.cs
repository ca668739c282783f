using Carrier.Core;

namespace Carrier.Tests.Nat;

internal sealed class SeededRandom(int seed = 1) : RandomSource
{
    private readonly Random _random = new(seed);

    public override void Fill(Span<byte> destination) => _random.NextBytes(destination);
}
