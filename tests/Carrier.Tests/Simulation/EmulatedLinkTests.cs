using Carrier.Lab.Links;
using CsCheck;

namespace Carrier.Tests.Simulation;

public class EmulatedLinkTests
{
    private const long Second = 1_000_000_000;

    private static readonly LinkConditions Plain = new() { Delay = TimeSpan.FromMilliseconds(25), RateBitsPerSecond = 100_000_000, QueueBytes = 64 << 10 };

    [Fact]
    public void A_packet_takes_its_transmission_and_the_delay()
    {
        EmulatedLink link = new(Plain, 1);
        Assert.Equal(new LinkVerdict(1, 25_120_000), link.Admit(0, 1_500));
        Assert.Equal(new LinkVerdict(1, 25_240_000), link.Admit(0, 1_500)); // behind the first
        Assert.Equal(new LinkVerdict(1, Second + 25_120_000), link.Admit(Second, 1_500));
    }

    [Fact]
    public void The_queue_holds_its_bytes_and_no_more()
    {
        EmulatedLink link = new(Plain, 1);
        int taken = Enumerable.Range(0, 100).Sum(_ => link.Admit(0, 1_500).Copies);
        Assert.Equal((64 << 10) / 1_500, taken);
        Assert.Equal(100 - taken, link.Overflowed);
        Assert.Equal(1, link.Admit(120_000, 1_500).Copies); // one has left
    }

    [Theory]
    [InlineData(0, 0.03, 0.02)]
    [InlineData(5, 0.03, 0.15)]
    public void Loss_has_the_asked_mean_and_burst(double burst, double loss, double tolerance)
    {
        const int Packets = 200_000;
        EmulatedLink link = new(Plain with { RateBitsPerSecond = 0, Loss = loss, LossBurstPackets = burst }, 7);
        int lost = 0;
        int runs = 0;
        bool inRun = false;
        for (int i = 0; i < Packets; i++)
        {
            bool isLost = link.Admit(i, 1_500).Copies == 0;
            lost += isLost ? 1 : 0;
            runs += isLost && !inRun ? 1 : 0;
            inRun = isLost;
        }

        Assert.InRange(lost / (double)Packets / loss, 1 - tolerance - 0.03, 1 + tolerance + 0.03);
        Assert.InRange((double)lost / runs, burst > 1 ? burst * 0.85 : 1, burst > 1 ? burst * 1.15 : 1.1);
    }

    [Fact]
    public void Jitter_reorders_only_where_it_may()
    {
        LinkConditions jittery = Plain with { RateBitsPerSecond = 0, Jitter = TimeSpan.FromMilliseconds(20) };
        Assert.Equal(0, Overtakings(jittery));
        Assert.InRange(Overtakings(jittery with { JitterReorders = true }), 1_000, 9_999);
        Assert.InRange(Overtakings(Plain with { RateBitsPerSecond = 0, Reorder = 0.1, ReorderDelay = TimeSpan.FromMilliseconds(5) }), 800, 1_200);
    }

    [Fact]
    public void Longer_packets_than_the_mtu_vanish()
    {
        EmulatedLink link = new(Plain with { MtuBytes = 1_280 }, 1);
        Assert.Equal(1, link.Admit(0, 1_280).Copies);
        Assert.Equal(0, link.Admit(0, 1_281).Copies);
        Assert.Equal(1, link.TooLong);
    }

    [Fact]
    public void Duplicates_come_as_often_as_asked()
    {
        EmulatedLink link = new(Plain with { RateBitsPerSecond = 0, Duplication = 0.1 }, 3);
        Assert.InRange(Enumerable.Range(0, 10_000).Sum(i => link.Admit(i, 100).Copies), 10_800, 11_200);
    }

    [Fact]
    public void Whatever_is_sent_no_more_than_the_rate_arrives_and_the_seed_decides_all()
    {
        Gen.Select(Gen.Int[40, 1_500], Gen.Long[0, 300_000]).Array[1, 300].Sample(packets =>
        {
            LinkConditions conditions = Plain with { Loss = 0.05 };
            EmulatedLink one = new(conditions, 11);
            EmulatedLink other = new(conditions, 11);
            long now = 0;
            long arrivedBytes = 0;
            foreach ((int bytes, long gap) in packets)
            {
                now += gap;
                LinkVerdict verdict = one.Admit(now, bytes);
                Assert.Equal(verdict, other.Admit(now, bytes));
                if (verdict.Copies > 0)
                {
                    arrivedBytes += bytes;
                    Assert.True(verdict.DueNanoseconds >= now + 25_000_000 + (bytes * 80L) - 1);
                    Assert.True(arrivedBytes <= ((verdict.DueNanoseconds - 25_000_000) / 80) + 1_500);
                }
            }
        });
    }

    private static int Overtakings(LinkConditions conditions)
    {
        EmulatedLink link = new(conditions, 5);
        long before = 0;
        int overtaken = 0;
        for (int i = 0; i < 10_000; i++)
        {
            long due = link.Admit(i * 120_000L, 1_500).DueNanoseconds;
            overtaken += due < before ? 1 : 0; // by the next one
            before = due;
        }

        return overtaken;
    }
}
