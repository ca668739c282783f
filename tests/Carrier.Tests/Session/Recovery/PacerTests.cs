using Carrier.Core;
using Carrier.Core.Session.Recovery;

namespace Carrier.Tests.Session.Recovery;

public class PacerTests
{
    private const int Datagram = 1_200;

    [Fact]
    public void NextSend_lets_a_burst_of_ten_datagrams_out_and_then_spaces_them()
    {
        var pacer = new Pacer(Datagram);
        pacer.Update(Instant.Zero, 1_200_000, TimeSpan.FromMilliseconds(100));
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(Instant.Zero, pacer.NextSend(Instant.Zero, Datagram));
            pacer.OnSent(Instant.Zero, Datagram);
        }

        Assert.Equal(Instant.Zero + TimeSpan.FromMilliseconds(1), pacer.NextSend(Instant.Zero, Datagram));
    }

    [Theory]
    [InlineData(1_000_000, Datagram)]
    [InlineData(50_000_000, 12_000)]
    [InlineData(2_000_000_000, 65_536)]
    public void NextSend_reaches_the_rate_and_does_not_exceed_it(double rate, int batchBytes)
    {
        var pacer = new Pacer(Datagram);
        Instant now = Instant.Zero;
        pacer.Update(now, rate, TimeSpan.FromMilliseconds(20));
        long sent = 0;
        while (now < Instant.Zero + TimeSpan.FromSeconds(1))
        {
            Instant next = pacer.NextSend(now, batchBytes);
            Assert.True(next >= now);
            if (next > now)
            {
                // The shell wakes on a millisecond grid at worst.
                now = Instant.Max(next, now + TimeSpan.FromMilliseconds(1));
                continue;
            }

            pacer.OnSent(now, batchBytes);
            sent += batchBytes;
        }

        double burst = Math.Max(10 * Datagram, rate / 1_000);
        Assert.InRange(sent, rate * 0.8, (rate * 1.01) + burst + batchBytes);
    }

    [Fact]
    public void NextSend_below_a_millisecond_of_round_trip_never_waits()
    {
        var pacer = new Pacer(Datagram);
        pacer.Update(Instant.Zero, 1_000, TimeSpan.FromMicroseconds(200));
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(Instant.Zero, pacer.NextSend(Instant.Zero, Pacer.MaxQuantumBytes));
            pacer.OnSent(Instant.Zero, Pacer.MaxQuantumBytes);
        }
    }
}
