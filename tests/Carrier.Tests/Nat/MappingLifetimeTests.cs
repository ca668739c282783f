using Carrier.Nat;

namespace Carrier.Tests.Nat;

public sealed class MappingLifetimeTests
{
    [Theory]
    [InlineData(20, 15)]
    [InlineData(24, 17)]
    [InlineData(27, 20)]
    [InlineData(30.5, 25)]
    [InlineData(120, 25)]
    public void Search_ends_within_four_tries_at_an_interval_that_the_nat_outlives(double natSeconds, double leastInterval)
    {
        MappingLifetime lifetime = new();
        int tries = 0;
        while (lifetime.NextSilence is { Ticks: > 0 } silence)
        {
            Assert.InRange(++tries, 1, 4);
            if (silence.TotalSeconds < natSeconds)
            {
                lifetime.Survived(silence);
            }
            else
            {
                lifetime.Lost(silence);
            }

            Assert.InRange(lifetime.Interval, MappingLifetime.Shortest, MappingLifetime.Longest);
        }

        Assert.InRange(lifetime.Interval.TotalSeconds, leastInterval, natSeconds / 1.1);
    }

    [Fact]
    public void Forget_begins_again_at_the_shortest()
    {
        MappingLifetime lifetime = new();
        lifetime.Survived(lifetime.NextSilence);
        Assert.Equal(MappingLifetime.Longest, lifetime.Interval);
        Assert.Equal(TimeSpan.Zero, lifetime.NextSilence);
        lifetime.Forget();
        Assert.Equal(MappingLifetime.Shortest, lifetime.Interval);
        Assert.NotEqual(TimeSpan.Zero, lifetime.NextSilence);
    }
}
