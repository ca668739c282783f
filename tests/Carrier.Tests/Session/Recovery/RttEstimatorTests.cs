using Carrier.Core.Session.Recovery;

namespace Carrier.Tests.Session.Recovery;

public class RttEstimatorTests
{
    private readonly RttEstimator _rtt = new(Milliseconds(25));

    [Fact]
    public void Before_a_sample_the_probe_timeout_is_a_second_and_the_ack_delay()
    {
        // RFC 9002 §6.2.2: 333 + 4 × 166.5 ms = 999 ms.
        Assert.Equal(Milliseconds(999 + 25), _rtt.ProbeTimeout);
        Assert.False(_rtt.HasSample);
    }

    [Fact]
    public void Sample_first_ignores_the_ack_delay()
    {
        _rtt.Sample(Milliseconds(100), Milliseconds(20));

        Assert.Equal(Milliseconds(100), _rtt.Smoothed);
        Assert.Equal(Milliseconds(50), _rtt.Variation);
        Assert.Equal(Milliseconds(100), _rtt.Min);
    }

    [Fact]
    public void Sample_second_follows_the_equations()
    {
        _rtt.Sample(Milliseconds(100), TimeSpan.Zero);
        _rtt.Sample(Milliseconds(180), Milliseconds(20));

        // adjusted 160: rttvar = 3/4 × 50 + 1/4 × |100 - 160|, smoothed = 7/8 × 100 + 1/8 × 160.
        Assert.Equal(Milliseconds(52.5), _rtt.Variation);
        Assert.Equal(Milliseconds(107.5), _rtt.Smoothed);
        Assert.Equal(Milliseconds(107.5 + 210 + 25), _rtt.ProbeTimeout);
    }

    [Fact]
    public void Sample_caps_an_ack_delay_beyond_the_promise()
    {
        _rtt.Sample(Milliseconds(100), TimeSpan.Zero);
        _rtt.Sample(Milliseconds(200), Milliseconds(90));

        Assert.Equal(Milliseconds(100 + ((175 - 100) / 8.0)), _rtt.Smoothed);
    }

    [Fact]
    public void Sample_does_not_believe_an_ack_delay_that_undercuts_the_minimum()
    {
        _rtt.Sample(Milliseconds(100), TimeSpan.Zero);
        _rtt.Sample(Milliseconds(108), Milliseconds(25));

        Assert.Equal(Milliseconds(101), _rtt.Smoothed);
        Assert.Equal(Milliseconds(100), _rtt.Min);
    }

    [Fact]
    public void ForgetMin_takes_the_next_sample_as_the_minimum()
    {
        _rtt.Sample(Milliseconds(10), TimeSpan.Zero);
        _rtt.ForgetMin();
        _rtt.Sample(Milliseconds(100), TimeSpan.Zero);
        _rtt.Sample(Milliseconds(120), TimeSpan.Zero);

        Assert.Equal(Milliseconds(100), _rtt.Min);
    }

    private static TimeSpan Milliseconds(double value) => TimeSpan.FromMilliseconds(value);
}
