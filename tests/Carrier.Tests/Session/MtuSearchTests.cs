using Carrier.Core;
using Carrier.Core.Session.Paths;
using Carrier.Core.Session.Recovery;

namespace Carrier.Tests.Session;

public class MtuSearchTests
{
    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);
    private static readonly RecoveryReport SmallOnesArrive = new() { AckedPackets = 2, LargestAckedPacketBytes = 1_200, LostLargePackets = MtuSearch.BlackHoleLosses };

    private Instant _now = Instant.Zero + TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(1_452, 1_452, 1_452)]
    [InlineData(1_500, 1_500, 1_500)]
    [InlineData(1_500, 1_480, 1_472)]
    [InlineData(1_452, 1_451, 1_432)]
    [InlineData(1_452, 1_252, 1_232)]
    [InlineData(1_452, 1_231, 1_200)]
    [InlineData(9_000, 9_000, 9_000)]
    [InlineData(9_000, 8_972, 8_952)]
    [InlineData(9_000, 1_472, 1_472)]
    [InlineData(1_300, 1_300, 1_300)]
    [InlineData(1_300, 1_299, 1_292)]
    [InlineData(1_200, 9_000, 1_200)]
    public void Search_finds_the_largest_size_it_knows_that_the_path_carries(int ceiling, int carries, int expected)
    {
        MtuSearch search = new(ceiling);
        Run(search, carries);
        Assert.Equal(expected, search.CurrentBytes);
    }

    [Fact]
    public void Search_outlives_two_lost_probes_of_a_size()
    {
        MtuSearch search = new(1_452);
        _ = Probe(search);
        _ = Probe(search);
        Assert.Equal(1_452, Probe(search));
        search.OnProbeArrived(_now, 1_452);
        Assert.Equal(1_452, search.CurrentBytes);
        Assert.Equal(Instant.Never, search.NextProbeAt);
    }

    [Fact]
    public void Search_that_ended_below_the_ceiling_is_repeated_later()
    {
        MtuSearch search = new(1_452);
        Run(search, 1_432);
        Assert.Equal(1_432, search.CurrentBytes);
        Assert.Equal(TimeSpan.FromMinutes(10), search.NextProbeAt - _now);
        Run(search, 1_452);
        Assert.Equal(1_432, search.CurrentBytes); // not yet due
        _now = search.NextProbeAt;
        Run(search, 1_452);
        Assert.Equal(1_452, search.CurrentBytes);
    }

    [Fact]
    public void Full_packets_lost_while_small_ones_arrive_are_a_black_hole_and_the_search_begins_anew()
    {
        MtuSearch search = Found(1_452);
        Assert.True(search.DetectBlackHole(_now, SmallOnesArrive));
        Assert.Equal(MtuSearch.BaseBytes, search.CurrentBytes);
        Run(search, 1_252);
        Assert.Equal(1_232, search.CurrentBytes);
    }

    [Fact]
    public void Loss_is_no_black_hole_while_full_packets_arrive()
    {
        MtuSearch search = Found(1_452);
        for (int i = 0; i < 1_000; i++)
        {
            Assert.False(search.DetectBlackHole(_now, new RecoveryReport { AckedPackets = 1, LargestAckedPacketBytes = 1_452, LostLargePackets = 5 }));
            Assert.False(search.DetectBlackHole(_now, new RecoveryReport { AckedPackets = 1, LargestAckedPacketBytes = 60, LostLargePackets = 5 }));
        }

        Assert.Equal(1_452, search.CurrentBytes);
    }

    [Fact]
    public void A_second_black_hole_soon_after_the_first_waits_before_it_searches()
    {
        MtuSearch search = Found(1_452);
        Assert.True(search.DetectBlackHole(_now, SmallOnesArrive));
        Run(search, 1_452);
        _now += TimeSpan.FromSeconds(5);
        Assert.True(search.DetectBlackHole(_now, SmallOnesArrive));
        Assert.Equal(TimeSpan.FromSeconds(60), search.NextProbeAt - _now);
    }

    private MtuSearch Found(int bytes)
    {
        MtuSearch search = new(bytes);
        Run(search, bytes);
        Assert.Equal(bytes, search.CurrentBytes);
        return search;
    }

    private int Probe(MtuSearch search)
    {
        _now = Instant.Max(_now, search.NextProbeAt);
        return search.BeginProbe(_now, RoundTrip);
    }

    // Probes until nothing is due within a minute; those the path carries arrive.
    private void Run(MtuSearch search, int carries)
    {
        while (search.NextProbeAt != Instant.Never && search.NextProbeAt <= _now + TimeSpan.FromSeconds(10))
        {
            if (Probe(search) is var size and > 0 && size <= carries)
            {
                _now += RoundTrip;
                search.OnProbeArrived(_now, size);
            }
        }
    }
}
