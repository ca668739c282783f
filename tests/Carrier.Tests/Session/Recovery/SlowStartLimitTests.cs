using Carrier.Core;
using Carrier.Core.Session.Recovery;

namespace Carrier.Tests.Session.Recovery;

public class SlowStartLimitTests
{
    private const int Bytes = 1_200;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);

    private readonly SlowStartLimit _limit = new();
    private Instant _now = Instant.Zero + TimeSpan.FromSeconds(1);

    [Fact]
    public void Nothing_is_limited_before_the_round_trip_is_known()
    {
        Assert.Equal(double.PositiveInfinity, _limit.MostBytes);
        Assert.False(_limit.IsFull(1e9, roundEnded: true));
    }

    [Fact]
    public void A_window_that_doubles_is_never_held_back()
    {
        double window = 10 * Bytes;
        Learn();
        for (int round = 0; round < 8; round++)
        {
            Flight((long)window, RoundTrip);
            window *= 2;
            Assert.True(_limit.MostBytes >= window, $"round {round}");
        }
    }

    [Fact]
    public void A_full_pipe_limits_to_twice_what_it_delivers_and_ends_slow_start_after_a_round()
    {
        // 100 kB in 50 ms is all there is: a larger flight takes longer.
        Learn();
        Flight(100_000, RoundTrip);
        Flight(200_000, RoundTrip * 2);
        Flight(225_000, RoundTrip * 2.25);
        Assert.InRange(_limit.MostBytes, 200_000, 230_000);

        double window = _limit.MostBytes;
        Assert.False(_limit.IsFull(window, roundEnded: false));
        Assert.False(_limit.IsFull(window, roundEnded: true)); // held back from here on
        Assert.False(_limit.IsFull(window, roundEnded: false));
        Assert.True(_limit.IsFull(window, roundEnded: true));
    }

    [Fact]
    public void A_window_that_grew_within_the_round_is_not_full()
    {
        Learn();
        Flight(100_000, RoundTrip);
        Assert.False(_limit.IsFull(_limit.MostBytes, roundEnded: true));
        Assert.False(_limit.IsFull(_limit.MostBytes / 2, roundEnded: false));
        Assert.False(_limit.IsFull(_limit.MostBytes, roundEnded: true));
    }

    private void Learn()
    {
        for (int i = 0; i < 16; i++)
        {
            _limit.OnRttSample(RoundTrip);
        }
    }

    // A window sent at once, acknowledged whole when the last of it has arrived.
    private void Flight(long bytes, TimeSpan roundTrip)
    {
        Instant sent = _now;
        _limit.OnSent(sent, (int)bytes, bytes);
        _now += roundTrip;
        _limit.OnAcked(_now, bytes, sent);
    }
}
