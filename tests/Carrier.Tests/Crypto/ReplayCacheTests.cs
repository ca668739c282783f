using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Tests.Crypto;

public sealed class ReplayCacheTests
{
    private static readonly Instant Start = Instant.Zero + (3 * AddressTokens.Epoch);

    private readonly DropCounters _drops = new();

    [Fact]
    public void TryAdd_again_is_refused_while_any_token_of_the_first_time_lives()
    {
        ReplayCache cache = new(_drops);
        Instant late = Start + AddressTokens.Epoch - TimeSpan.FromSeconds(1);
        Assert.True(cache.TryAdd(late, Source(0), default, 1));
        Assert.False(cache.TryAdd(late, Source(0), default, 1));
        Assert.False(cache.TryAdd(late, Source(9), default, 1));
        Assert.False(cache.TryAdd(Start + (2 * AddressTokens.Epoch) - TimeSpan.FromSeconds(1), Source(0), default, 1));
        Assert.Equal(3, _drops[DropReason.Replayed]);
        Assert.True(cache.TryAdd(Start + (2 * AddressTokens.Epoch), Source(0), default, 1)); // its token is dead by now
    }

    [Fact]
    public void TryAdd_of_one_source_cannot_fill_it_and_many_cannot_overfill_it()
    {
        ReplayCache cache = new(_drops);
        int added = 0;
        for (int i = 0; i < 40_000; i++)
        {
            added += cache.TryAdd(Start, Source(0), default, (ulong)i) ? 1 : 0;
        }

        Assert.Equal(ReplayCache.MaxQuestionsPerSource, added);
        Assert.True(cache.TryAdd(Start, Source(1), default, 50_000));
        for (int i = 0; i < 40_000; i++)
        {
            added += cache.TryAdd(Start, Source(2 + i), default, (ulong)(100_000 + i)) ? 1 : 0;
        }

        Assert.Equal(ReplayCache.MaxQuestions - 1, added);
        Assert.False(cache.TryAdd(Start, Source(1), default, 50_000)); // what is remembered stays remembered
    }

    private static Endpoint Source(int i) => Endpoint.FromIPv4(0x0B000000 + ((uint)i << 8), 1000);
}
