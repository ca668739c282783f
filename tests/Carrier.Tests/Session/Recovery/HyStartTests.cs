using Carrier.Core;
using Carrier.Core.Session.Recovery;

namespace Carrier.Tests.Session.Recovery;

/// <summary>RFC 9406 §4.2 and §4.3, round by round.</summary>
public class HyStartTests
{
    private readonly HyStart _hyStart = new();
    private Instant _now = Instant.Zero + TimeSpan.FromSeconds(1);

    [Fact]
    public void Round_trips_that_do_not_grow_leave_slow_start_alone()
    {
        for (int round = 0; round < 20; round++)
        {
            Assert.False(Round(50));
            Assert.Equal(1, _hyStart.GrowthDivisor);
        }
    }

    [Theory]
    [InlineData(100, 12.4, false)]
    [InlineData(100, 12.5, true)]
    [InlineData(20, 3.9, false)] // an eighth of 20 ms is below the least threshold, 4 ms
    [InlineData(20, 4, true)]
    [InlineData(400, 15.9, false)] // and of 400 ms above the greatest, 16 ms
    [InlineData(400, 16, true)]
    public void A_round_whose_smallest_sample_grew_by_the_threshold_slows_growth_to_a_quarter(double milliseconds, double growth, bool slows)
    {
        Round(milliseconds);
        Samples(milliseconds + growth, HyStart.SamplesNeeded);

        Assert.Equal(slows, _hyStart.IsConservative);
        Assert.Equal(slows ? HyStart.ConservativeGrowthDivisor : 1, _hyStart.GrowthDivisor);
    }

    [Fact]
    public void Seven_samples_are_not_enough()
    {
        Round(50);
        Samples(90, HyStart.SamplesNeeded - 1);
        Assert.False(_hyStart.IsConservative);
        Samples(90, 1);
        Assert.True(_hyStart.IsConservative);
    }

    [Fact]
    public void One_fast_sample_among_many_slow_ones_keeps_slow_start()
    {
        Round(50);
        Samples(50, 1);
        Samples(90, 20);
        Assert.False(_hyStart.IsConservative);
    }

    [Fact]
    public void Five_conservative_rounds_end_slow_start()
    {
        Round(50);
        Assert.False(Round(60)); // the round in which it begins is not counted before it ends
        for (int round = 2; round <= HyStart.ConservativeRounds; round++)
        {
            Assert.True(_hyStart.IsConservative);
            Assert.Equal(round == HyStart.ConservativeRounds, Round(60));
        }
    }

    [Fact]
    public void A_smaller_round_trip_than_where_it_began_goes_back_to_slow_start()
    {
        Round(50);
        Round(60);
        Round(60);
        Samples(59, HyStart.SamplesNeeded);

        Assert.False(_hyStart.IsConservative);
        Assert.Equal(1, _hyStart.GrowthDivisor);
    }

    [Fact]
    public void Acknowledgements_of_packets_from_before_the_round_do_not_end_it()
    {
        Instant sent = _now;
        Round(50);
        Samples(60, HyStart.SamplesNeeded);
        for (int i = 0; i < 100; i++)
        {
            Assert.False(_hyStart.OnAcked(_now, sent));
        }
    }

    private void Samples(double milliseconds, int count)
    {
        for (int i = 0; i < count; i++)
        {
            _hyStart.OnRttSample(TimeSpan.FromMilliseconds(milliseconds));
        }
    }

    // Samples of one round, then the acknowledgement of a packet sent in it, which ends it.
    private bool Round(double milliseconds)
    {
        Samples(milliseconds, HyStart.SamplesNeeded);
        Instant sent = _now;
        _now += TimeSpan.FromMilliseconds(milliseconds);
        return _hyStart.OnAcked(_now, sent);
    }
}
