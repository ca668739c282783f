using Carrier.Core.Session;
using Carrier.Core.Session.Recovery;
using Carrier.Lab.Links;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Shipped sessions over emulated links in virtual time, where nothing is noise: what <c>carrier-lab links</c> then confirms beside the kernel's TCP.</summary>
public class LinkScenarios
{
    private static readonly SessionOptions Cubic = SessionOptions.Default;
    private static readonly SessionOptions Bbr = Cubic with { CongestionControl = CongestionControl.Bbr };

    private static readonly LinkConditions Near = new()
    {
        Delay = TimeSpan.FromMilliseconds(25),
        RateBitsPerSecond = 100_000_000,
        QueueBytes = 1 << 20,
        MtuBytes = 1_500,
    };

    private static readonly LinkConditions Far = Near with { Delay = TimeSpan.FromMilliseconds(100), RateBitsPerSecond = 20_000_000 };

    // What is left for the application of a full link: 1,415 bytes of stream data in 1,480.
    private const double PayloadFraction = 0.956;

    [Theory]
    [InlineData(1_024, 0.98)]
    [InlineData(64, 0.93)]
    public void Cubic_fills_a_link_once_it_has_found_its_rate(int queueKilobytes, double least)
    {
        LinkConditions link = Near with { QueueBytes = queueKilobytes << 10 };
        Assert.InRange(Rate(link, Cubic, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(20)), least * PayloadFraction, 1);
    }

    [Fact]
    public void Cubic_fills_a_long_path() => Assert.InRange(Rate(Far, Cubic, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(20)), 0.97 * PayloadFraction, 1);

    [Theory]
    [InlineData(0.01, 0.85)]
    [InlineData(0.03, 0.70)]
    public void Bbr_stays_fast_where_packets_are_lost_at_random(double loss, double least)
    {
        LinkConditions link = Near with { Loss = loss };
        double rate = Rate(link, Bbr, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.InRange(rate, least * PayloadFraction, 1);
        Assert.True(rate > 10 * Rate(link, Cubic, TimeSpan.Zero, TimeSpan.FromSeconds(20)), "CUBIC cannot: that is what BBR is for.");
    }

    [Fact]
    public void Bbr_keeps_the_queue_short()
    {
        using SessionsOnLink world = new(Near, 1, Bbr);
        world.Begin(world.Flows[0]);
        world.RunFor(TimeSpan.FromSeconds(20));
        Assert.InRange(world.Flows[0].Statistics.SmoothedRtt.TotalMilliseconds, 50, 65);
        Assert.InRange(world.Flows[0].ReceivedBytes * 8 / 20e6, 80, 96);
    }

    [Fact]
    public void Jitter_that_reorders_is_learnt()
    {
        LinkConditions link = Near with { Jitter = TimeSpan.FromMilliseconds(20), JitterReorders = true };
        using SessionsOnLink world = new(link, 1, Cubic);
        world.Begin(world.Flows[0]);
        world.RunFor(TimeSpan.FromSeconds(20));
        Assert.InRange(world.Flows[0].ReceivedBytes * 8 / 20e6, 80, 96);
    }

    [Theory]
    [InlineData(CongestionControl.Cubic)]
    [InlineData(CongestionControl.Bbr)]
    public void Reordering_by_30_packets_costs_at_most_one_percent_spurious_retransmissions(CongestionControl control)
    {
        // A packet in a hundred is overtaken by the thirty behind it: 3.6 ms at 100 Mbit/s.
        LinkConditions link = Near with { Reorder = 0.01, ReorderDelay = TimeSpan.FromMilliseconds(3.6), QueueBytes = 4 << 20 };
        using SessionsOnLink world = new(link, 1, Cubic with { CongestionControl = control });
        world.Begin(world.Flows[0], 200 << 20);
        Assert.True(world.RunUntil(() => world.Flows[0].IsComplete, TimeSpan.FromSeconds(60)));

        SessionStatistics statistics = world.Flows[0].Statistics;
        Assert.InRange(statistics.SpuriousLosses, 1, statistics.PacketsSent / 100);
        Assert.Equal(200 << 20, world.Flows[0].ReceivedBytes);
    }

    [Theory]
    [InlineData(CongestionControl.Cubic, 1)]
    [InlineData(CongestionControl.Bbr, 1)]
    [InlineData(CongestionControl.Cubic, 2)]
    public void A_path_whose_mtu_falls_to_1280_stalls_less_than_a_second(CongestionControl control, int seed)
    {
        LinkConditions link = seed == 1 ? Near : Near with { Jitter = TimeSpan.FromMilliseconds(5), QueueBytes = 64 << 10 };
        using SessionsOnLink world = new(link, seed, Cubic with { CongestionControl = control });
        SessionsOnLink.Flow flow = world.Flows[0];
        world.Begin(flow, 200 << 20);
        Assert.True(world.RunUntil(() => flow.ReceivedBytes > 100 << 20, TimeSpan.FromSeconds(60)));
        Assert.Equal(1_452, flow.Statistics.PacketBytes);

        flow.WatchStalls();
        world.Conditions = link with { MtuBytes = 1_280 };
        Assert.True(world.RunUntil(() => flow.IsComplete, TimeSpan.FromSeconds(60)));

        Assert.InRange(flow.LongestStall, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(1_232, flow.Statistics.PacketBytes);
    }

    [Fact]
    public void A_path_that_carries_jumbo_frames_is_used_with_them()
    {
        using SessionsOnLink world = new(Near with { MtuBytes = 9_000 }, 1, Cubic with { MaxPacketBytes = 9_000 });
        world.Begin(world.Flows[0]);
        world.RunFor(TimeSpan.FromSeconds(3));
        Assert.Equal(8_952, world.Flows[0].Statistics.PacketBytes);
    }

    [Fact]
    public void A_short_outage_does_not_cost_the_path_its_size()
    {
        using SessionsOnLink world = new(Near, 1, Cubic);
        SessionsOnLink.Flow flow = world.Flows[0];
        world.Begin(flow);
        world.RunFor(TimeSpan.FromSeconds(5));
        world.Conditions = Near with { Loss = 1 };
        world.RunFor(TimeSpan.FromMilliseconds(500));
        world.Conditions = Near;
        world.RunFor(TimeSpan.FromSeconds(3));
        Assert.Equal(1_452, flow.Statistics.PacketBytes);
    }

    [Theory]
    [InlineData(CongestionControl.Cubic, 64)]
    [InlineData(CongestionControl.Cubic, 1_024)]
    [InlineData(CongestionControl.Bbr, 1_024)]
    public void Two_sessions_that_begin_together_share(CongestionControl control, int queueKilobytes)
    {
        SessionOptions options = Cubic with { CongestionControl = control };
        using SessionsOnLink world = new(Near with { QueueBytes = queueKilobytes << 10 }, 1, options, options);
        world.Begin(world.Flows[0]);
        world.Begin(world.Flows[1]);
        world.RunFor(TimeSpan.FromSeconds(60));

        double total = world.Flows[0].ReceivedBytes + world.Flows[1].ReceivedBytes;
        Assert.InRange(world.Flows[0].ReceivedBytes / total, 0.40, 0.60);
        Assert.InRange(total * 8 / 60e6, 75, 96);
    }

    [Theory]
    [InlineData(CongestionControl.Cubic)]
    [InlineData(CongestionControl.Bbr)]
    public void A_queue_that_marks_is_kept_short_without_losing_a_packet(CongestionControl control)
    {
        using SessionsOnLink world = new(Near with { MarkAboveBytes = 200_000 }, 1, Cubic with { CongestionControl = control });
        world.Begin(world.Flows[0]);
        world.RunFor(TimeSpan.FromSeconds(5));
        long lost = world.Forward.Overflowed;
        long before = world.Flows[0].ReceivedBytes;
        world.RunFor(TimeSpan.FromSeconds(20));
        Assert.Equal(lost, world.Forward.Overflowed);
        Assert.InRange((world.Flows[0].ReceivedBytes - before) * 8 / 20e6, 80, 96);
        Assert.True(world.MarkedPackets > 100_000);
    }

    [Fact]
    public void A_path_that_washes_marks_off_is_found_out()
    {
        using SessionsOnLink world = new(Near with { Bleaches = true }, 1, Cubic);
        world.Begin(world.Flows[0]);
        world.RunFor(TimeSpan.FromSeconds(3));
        Assert.InRange(world.MarkedPackets, 1, 2 * EcnValidation.TestingPackets * 3);
        Assert.InRange(world.Flows[0].ReceivedBytes * 8 / 3e6, 60, 96);
    }

    [Fact]
    public void A_path_that_drops_what_is_marked_still_carries_the_session()
    {
        using SessionsOnLink world = new(Near with { DropsMarkable = true }, 1, Cubic);
        world.Begin(world.Flows[0]);
        world.RunFor(TimeSpan.FromSeconds(10));
        Assert.InRange(world.MarkedPackets, 1, 2 * EcnValidation.TestingPackets * 3);
        Assert.InRange(world.Flows[0].ReceivedBytes * 8 / 10e6, 10, 96); // its first flight is lost whole, and slow start with it
    }

    // The part of the link's rate that the application got after a time to settle.
    private static double Rate(LinkConditions link, SessionOptions options, TimeSpan settle, TimeSpan time)
    {
        using SessionsOnLink world = new(link, 1, options);
        world.Begin(world.Flows[0]);
        world.RunFor(settle);
        long before = world.Flows[0].ReceivedBytes;
        world.RunFor(time);
        return (world.Flows[0].ReceivedBytes - before) * 8 / time.TotalSeconds / link.RateBitsPerSecond;
    }
}
