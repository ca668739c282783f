using Carrier.Core;
using Carrier.Core.Session.Recovery;
using CsCheck;

namespace Carrier.Tests.Session.Recovery;

public class DeliveryRateTests
{
    private const int Bytes = 1_200;

    private readonly DeliveryRate _rate = new();

    [Fact]
    public void A_steady_stream_measures_its_own_rate()
    {
        // A packet a millisecond over 50 ms: 1.2 MB/s.
        RateSample last = default;
        for (int i = 0; i < 500; i++)
        {
            _rate.OnSent(At(i), Bytes, Math.Min(i + 1, 50) * Bytes);
            if (i >= 50)
            {
                last = _rate.OnAcked(At(i), Bytes, At(i - 50));
            }
        }

        Assert.Equal(1_200_000, last.BytesPerSecond, 30_000.0);
        Assert.False(last.IsAppLimited);
        Assert.Equal(450 * Bytes, _rate.DeliveredBytes);
    }

    [Fact]
    public void A_burst_is_measured_by_how_fast_it_arrived_not_by_how_fast_it_was_sent()
    {
        _rate.OnSent(At(0), 100 * Bytes, 100 * Bytes);
        RateSample sample = default;
        for (int i = 1; i <= 100; i++)
        {
            sample = _rate.OnAcked(At(50 + i), Bytes, At(0));
        }

        Assert.Equal(100 * Bytes / 0.15, sample.BytesPerSecond, 1.0);
    }

    [Fact]
    public void Acknowledgements_in_one_lump_do_not_exceed_the_rate_they_were_sent_at()
    {
        // Sent over 100 ms, acknowledged all at once.
        for (int i = 0; i < 100; i++)
        {
            _rate.OnSent(At(i), Bytes, (i + 1) * Bytes);
        }

        Assert.Equal(100 * Bytes / 0.15, _rate.OnAcked(At(150), 100 * Bytes, At(99)).BytesPerSecond, 1.0);
    }

    [Fact]
    public void OnAppLimited_marks_what_is_sent_until_the_flight_has_landed()
    {
        _rate.OnSent(At(0), Bytes, Bytes);
        _rate.OnAppLimited(Bytes);
        Assert.True(_rate.IsAppLimited);
        _rate.OnSent(At(10), Bytes, 2 * Bytes);
        Assert.False(_rate.OnAcked(At(50), Bytes, At(0)).IsAppLimited);
        Assert.True(_rate.OnAcked(At(60), Bytes, At(10)).IsAppLimited);
        Assert.False(_rate.IsAppLimited);
    }

    [Fact]
    public void Whatever_is_sent_and_acknowledged_the_rate_is_finite_and_no_more_than_what_was_delivered()
    {
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 40]).Array[1, 500].Sample(steps =>
        {
            DeliveryRate rate = new();
            Queue<Instant> flight = new();
            long now = 0;
            long delivered = 0;
            foreach ((int kind, int milliseconds) in steps)
            {
                now += milliseconds;
                if (kind == 0 && flight.TryDequeue(out Instant sent))
                {
                    delivered += Bytes;
                    RateSample sample = rate.OnAcked(At(now), Bytes, sent);
                    Assert.True(double.IsFinite(sample.BytesPerSecond));
                    Assert.InRange(sample.PriorDeliveredBytes, 0, delivered - Bytes);
                }
                else if (kind == 3)
                {
                    rate.OnAppLimited(flight.Count * Bytes);
                }
                else
                {
                    flight.Enqueue(At(now));
                    rate.OnSent(At(now), Bytes, flight.Count * Bytes);
                }
            }

            Assert.Equal(delivered, rate.DeliveredBytes);
        });
    }

    [Fact]
    public void OnSent_for_ever_without_an_acknowledgement_stays_bounded()
    {
        for (int i = 0; i < 5 * DeliveryRate.MaxSnapshots; i++)
        {
            _rate.OnSent(At(i), Bytes, (i + 1L) * Bytes);
        }

        // Too old to be remembered; then one that is.
        Assert.Equal(0, _rate.OnAcked(At(30_000), Bytes, At(0)).BytesPerSecond);
        Assert.True(_rate.OnAcked(At(30_001), Bytes, At((5 * DeliveryRate.MaxSnapshots) - 1)).BytesPerSecond > 0);
    }

    private static Instant At(long milliseconds) => new((milliseconds + 1_000) * 1_000_000);
}
