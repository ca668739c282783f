using Carrier.Core;
using Carrier.Core.Session.Recovery;
using CsCheck;

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

        // A mark costs less than a loss (RFC 8511).
        cubic.OnEcn(At(1.1), At(1.05));
        Assert.Equal(57_120, cubic.CongestionWindowBytes);
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

    [Fact]
    public void A_trace_by_hand_follows_W_cubic_to_the_plateau_and_beyond()
    {
        // 100 segments, RTT 100 ms. After the loss: cwnd 70, W_max 100, K = cbrt(30 / 0.4) = 4.217 s.
        // W_cubic(t) = 0.4 (t - 4.217)^3 + 100: at 1 s 86.7, at 2 s 95.6, at 4.217 s 100, at 6 s 102.3 — but Reno's estimate is
        // 70 + 0.529 a round trip: at 1 s 75, at 2 s 80, at 5.67 s back at 100, and one a round trip after.
        Cubic cubic = Grown(windowBytes: 100 * Segment, roundTrip: 100);
        cubic.OnLost(At(1), Segment, At(0.95));
        double at1 = 0, at2 = 0, atK = 0, at8 = 0;
        const double Begin = 1.2;
        double now = Begin;
        while (now < Begin + 8.05)
        {
            long window = cubic.CongestionWindowBytes;
            cubic.OnAcked(At(now), 2 * Segment, At(now - 0.1), window);
            double t = now - Begin;
            double segments = cubic.CongestionWindowBytes / (double)Segment;
            (at1, at2) = (t <= 1 ? segments : at1, t <= 2 ? segments : at2);
            (atK, at8) = (t <= 4.217 ? segments : atK, t <= 8 ? segments : at8);
            now += 0.1 * 2 * Segment / window;
        }

        Assert.Equal(86.7, at1, 1.5); // within a round trip of the curve: the target is where the curve will be
        Assert.Equal(95.6, at2, 1.0);
        Assert.Equal(100.0, atK, 0.5);
        Assert.InRange(at8, 120, 126); // the curve: 0.4 × 3.783³ + 100 = 121.7
    }

    [Fact]
    public void W_cubic_is_followed_for_any_window_and_round_trip()
    {
        // RFC 9438 §4.2: wherever the cubic region rules, the window is between the curve now and the curve one round trip on.
        Gen.Select(Gen.Int[200, 5_000], Gen.Int[40, 400]).Sample(
            (segments, milliseconds) =>
            {
                double roundTrip = milliseconds / 1000.0;
                RttEstimator rtt = new(TimeSpan.Zero);
                rtt.Sample(TimeSpan.FromMilliseconds(milliseconds), TimeSpan.Zero);
                Cubic cubic = Grown(rtt, (long)segments * Segment);
                double max = cubic.CongestionWindowBytes / (double)Segment;
                cubic.OnLost(At(10), Segment, At(9.95));
                double k = Math.Cbrt(0.3 * max / 0.4);
                double reno = 0.7 * max;
                double now = 11;
                for (double t = 0; t < 1.3 * k; t = now - 11)
                {
                    long window = cubic.CongestionWindowBytes;
                    cubic.OnAcked(At(now), window / 8, At(now - (roundTrip / 2)), window);
                    reno += (reno < max ? 9.0 / 17 : 1) / 8;
                    double after = cubic.CongestionWindowBytes / (double)Segment;
                    double curve = Curve(t, k, max);
                    if (t > 2 * roundTrip && curve > reno + 1)
                    {
                        Assert.InRange(after, (curve * 0.98) - 1, (Curve(t + roundTrip, k, max) * 1.02) + 1);
                    }

                    now += roundTrip / 8;
                }
            },
            iter: 100);
    }

    [Fact]
    public void OnSpuriousLoss_of_all_that_was_lost_brings_the_window_back()
    {
        Cubic cubic = Grown(windowBytes: 96_000, roundTrip: 50);
        cubic.OnLost(At(1), 3 * Segment, At(0.95));
        cubic.OnLost(At(1.01), Segment, At(0.96));
        Assert.Equal(67_200, cubic.CongestionWindowBytes);

        cubic.OnSpuriousLoss(At(1.02), 3 * Segment);
        Assert.Equal(67_200, cubic.CongestionWindowBytes);
        cubic.OnSpuriousLoss(At(1.03), Segment);
        Assert.Equal(96_000, cubic.CongestionWindowBytes);
        Assert.True(cubic.InSlowStart);

        // The next loss is a new one.
        cubic.OnLost(At(1.1), Segment, At(1.05));
        Assert.Equal(67_200, cubic.CongestionWindowBytes);
    }

    [Fact]
    public void OnSpuriousLoss_after_congestion_that_was_marked_undoes_nothing()
    {
        Cubic cubic = Grown(windowBytes: 96_000, roundTrip: 50);
        cubic.OnEcn(At(1), At(0.95));
        cubic.OnLost(At(1.01), Segment, At(0.96));
        cubic.OnSpuriousLoss(At(1.02), Segment);
        Assert.Equal(81_600, cubic.CongestionWindowBytes);
    }

    [Fact]
    public void The_first_slow_start_ends_when_round_trips_grow()
    {
        _rtt.Sample(TimeSpan.FromMilliseconds(50), TimeSpan.Zero);
        var cubic = new Cubic(_rtt, Segment);
        double now = 1;
        double milliseconds = 50;
        int rounds = 0;
        for (; cubic.InSlowStart && rounds < 30; rounds++)
        {
            // A round in eight acknowledgements; the queue begins to fill at 200 segments.
            double sent = now;
            now += milliseconds / 1000;
            long window = cubic.CongestionWindowBytes;
            cubic.OnPacketSent(At(sent), (int)window, window);
            for (int i = 0; i < 8; i++)
            {
                cubic.OnRttSample(At(now), TimeSpan.FromMilliseconds(milliseconds));
                cubic.OnAcked(At(now), window / 8, At(sent), window);
            }

            milliseconds = 50 * Math.Max(1, cubic.CongestionWindowBytes / (200.0 * Segment));
        }

        Assert.False(cubic.InSlowStart);
        Assert.InRange(cubic.CongestionWindowBytes, 200 * Segment, 1_600 * Segment);
        Assert.InRange(rounds, 8, 16);
    }

    private static double Curve(double t, double k, double max) => (0.4 * Math.Pow(t - k, 3)) + max;

    // Grows by slow start, a whole window acknowledged at a time.
    private Cubic Grown(long windowBytes, int roundTrip)
    {
        _rtt.Sample(TimeSpan.FromMilliseconds(roundTrip), TimeSpan.Zero);
        return Grown(_rtt, windowBytes);
    }

    private static Cubic Grown(RttEstimator rtt, long windowBytes)
    {
        var cubic = new Cubic(rtt, Segment);
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
