using Carrier.Core;
using Carrier.Core.Session.Recovery;

namespace Carrier.Tests.Session.Recovery;

public class CubicTests
{
    private const int Segment = 1_200;

    private readonly RttEstimator _rtt = new(TimeSpan.Zero);

    [Fact]
    public void Initial_window_is_ten_datagrams_and_no_more_than_14720_bytes()
    {
        Assert.Equal(12_000, new Cubic(_rtt, 1_200).CongestionWindowBytes);
        Assert.Equal(14_520, new Cubic(_rtt, 1_452).CongestionWindowBytes);
        Assert.Equal(14_720, new Cubic(_rtt, 4_000).CongestionWindowBytes);
        Assert.Equal(18_000, new Cubic(_rtt, 9_000).CongestionWindowBytes);
    }

    [Fact]
    public void OnAcked_in_slow_start_doubles_a_round_trip()
    {
        Cubic cubic = Grown(windowBytes: 96_000, roundTrip: 50);
        Assert.True(cubic.InSlowStart);
        Assert.Equal(96_000, cubic.CongestionWindowBytes);
        Assert.Equal(2.0 * 96_000 / 0.05, cubic.PacingRateBytesPerSecond, 3);
    }

    [Fact]
    public void OnAcked_while_the_application_is_the_limit_does_not_grow()
    {
        Cubic cubic = Grown(windowBytes: 192_000, roundTrip: 50);
        cubic.OnAcked(At(1), 1_200, At(0.9), bytesInFlightBefore: 2_400);
        Assert.Equal(192_000, cubic.CongestionWindowBytes);
    }

    [Fact]
    public void OnLost_leaves_seven_tenths_once_a_round_trip()
    {
        Cubic cubic = Grown(windowBytes: 96_000, roundTrip: 50);
        cubic.OnLost(At(1), Segment, At(0.95));
        Assert.Equal(67_200, cubic.CongestionWindowBytes);
        Assert.False(cubic.InSlowStart);

        cubic.OnLost(At(1.02), Segment, At(0.99));
        cubic.OnEcn(At(1.03), At(1));
        Assert.Equal(67_200, cubic.CongestionWindowBytes);

        cubic.OnEcn(At(1.1), At(1.05));
        Assert.Equal(47_040, cubic.CongestionWindowBytes);
    }

    [Fact]
    public void OnAcked_of_packets_from_before_the_reduction_does_not_grow()
    {
        Cubic cubic = Grown(windowBytes: 96_000, roundTrip: 50);
        cubic.OnLost(At(1), Segment, At(0.95));
        cubic.OnAcked(At(1.02), 50_000, At(0.99), 67_200);
        Assert.Equal(67_200, cubic.CongestionWindowBytes);
    }

    [Fact]
    public void OnPersistentCongestion_falls_to_two_datagrams()
    {
        Cubic cubic = Grown(windowBytes: 96_000, roundTrip: 50);
        cubic.OnLost(At(1), Segment, At(0.95));
        cubic.OnPersistentCongestion(At(1));
        Assert.Equal(2 * Segment, cubic.CongestionWindowBytes);
        Assert.True(cubic.InSlowStart);
    }

    [Fact]
    public void OnAcked_after_a_loss_follows_the_cubic_curve()
    {
        // A large window and a long round trip: the cubic region rules (RFC 9438 §4.4, §4.5).
        const double RoundTrip = 0.1;
        Cubic cubic = Grown(windowBytes: 2_000L * Segment * 8, roundTrip: 100);
        double max = cubic.CongestionWindowBytes / (double)Segment;
        cubic.OnLost(At(1), Segment, At(0.95));
        double start = cubic.CongestionWindowBytes / (double)Segment;
        Assert.Equal(max * 0.7, start, 0.01);
        double k = Math.Cbrt((max - start) / 0.4);

        // One ACK for each 44 packets; the epoch begins with the first.
        double now = 1.1;
        double epoch = now;
        while (now - epoch < 1.5 * k)
        {
            long window = cubic.CongestionWindowBytes;
            cubic.OnAcked(At(now), 44 * Segment, At(now - (RoundTrip / 2)), window);
            now += RoundTrip * 44 * Segment / window;

            double t = now - epoch;
            double expected = (0.4 * Math.Pow(t - k, 3)) + max;
            Assert.InRange(cubic.CongestionWindowBytes / (double)Segment / expected, 0.97, 1.03);
        }

        Assert.True(cubic.CongestionWindowBytes > max * Segment, "Past K the window probes beyond the old maximum.");
    }

    [Fact]
    public void OnAcked_on_a_short_path_is_no_slower_than_reno()
    {
        // Ten segments over a millisecond: W_est, not the curve, rules (RFC 9438 §4.3).
        const double RoundTrip = 0.001;
        Cubic cubic = Grown(windowBytes: 12_000, roundTrip: 1);
        cubic.OnLost(At(1), Segment, At(0.9995));
        double estimate = 7;
        double now = 1.001;
        for (int i = 0; i < 200; i++)
        {
            long window = cubic.CongestionWindowBytes;
            double alpha = estimate < 10 ? 3 * 0.3 / 1.7 : 1;
            estimate += alpha * Segment / window;
            cubic.OnAcked(At(now), Segment, At(now - (RoundTrip / 2)), window);
            now += RoundTrip * Segment / window;
            Assert.Equal(estimate, cubic.CongestionWindowBytes / (double)Segment, 0.02);
        }

        Assert.True(estimate > 12);
    }

    [Fact]
    public void OnLost_below_the_old_maximum_converges_fast()
    {
        const double RoundTrip = 0.1;
        Cubic cubic = Grown(windowBytes: 1_000L * Segment * 8, roundTrip: 100);
        double max = cubic.CongestionWindowBytes / (double)Segment;
        cubic.OnLost(At(1), Segment, At(0.95));
        cubic.OnLost(At(2), Segment, At(1.95));
        double start = max * 0.49;
        Assert.Equal(start, cubic.CongestionWindowBytes / (double)Segment, 0.01);

        // W_max = 0.7 max × (1 + β) / 2, so the plateau is at 0.595 of the first maximum.
        double plateau = max * 0.7 * 0.85;
        double k = Math.Cbrt((plateau - start) / 0.4);
        double now = 2.1;
        double epoch = now;
        while (now - epoch < k)
        {
            long window = cubic.CongestionWindowBytes;
            cubic.OnAcked(At(now), 44 * Segment, At(now - (RoundTrip / 2)), window);
            now += RoundTrip * 44 * Segment / window;
        }

        Assert.Equal(1, cubic.CongestionWindowBytes / (double)Segment / plateau, 0.02);
    }

    [Fact]
    public void Idle_time_does_not_age_the_epoch()
    {
        Cubic cubic = Grown(windowBytes: 1_000L * Segment * 8, roundTrip: 100);
        cubic.OnLost(At(1), Segment, At(0.95));
        long window = cubic.CongestionWindowBytes;
        cubic.OnAcked(At(1.2), window, At(1.1), window);
        cubic.OnPacketSent(At(100), Segment, Segment);
        cubic.OnAcked(At(100.1), 44 * Segment, At(100), cubic.CongestionWindowBytes);

        Assert.InRange(cubic.CongestionWindowBytes, window, window * 1.05);
    }

    // Grows by slow start, a whole window acknowledged at a time.
    private Cubic Grown(long windowBytes, int roundTrip)
    {
        _rtt.Sample(TimeSpan.FromMilliseconds(roundTrip), TimeSpan.Zero);
        var cubic = new Cubic(_rtt, Segment);
        while (cubic.CongestionWindowBytes < windowBytes)
        {
            long window = cubic.CongestionWindowBytes;
            cubic.OnPacketSent(At(0.1), (int)window, window);
            cubic.OnAcked(At(0.2), Math.Min(window, windowBytes - window), At(0.1), window);
        }

        return cubic;
    }

    private static Instant At(double seconds) => new((long)(seconds * 1e9));
}
