using Carrier.Core;
using Carrier.Nat;
using CsCheck;

namespace Carrier.Tests.Nat;

public sealed class PunchTests
{
    [Fact]
    public void TryTake_probes_double_their_gaps_and_end()
    {
        PunchSchedule schedule = new(Addresses.At(1));
        List<double> sent = [];
        while (schedule.NextProbe != Instant.Never)
        {
            Instant due = schedule.NextProbe;
            Assert.False(schedule.TryTake(due - TimeSpan.FromMilliseconds(1)));
            Assert.True(schedule.TryTake(due));
            sent.Add((due - Addresses.At(1)).TotalMilliseconds);
        }

        Assert.Equal([0, 30, 60, 120, 240, 480, 960, 1920], sent);
        Assert.False(schedule.TryTake(Addresses.At(1000)));
    }

    [Fact]
    public void TryTake_after_a_suspend_sends_once()
    {
        PunchSchedule schedule = new(Instant.Zero);
        Assert.True(schedule.TryTake(Addresses.At(0.5)));
        Assert.False(schedule.TryTake(Addresses.At(0.5)));
        Assert.Equal(Addresses.At(0.96), schedule.NextProbe);
    }

    [Fact]
    public void TrySpend_a_victim_named_by_any_number_of_peers_gets_a_trickle()
    {
        PunchBudget budget = new(new SeededRandom(), new DropCounters());
        (int toEndpoint, int toNetwork, int toAll) = (0, 0, 0);
        for (int i = 0; i < 100_000; i++)
        {
            toEndpoint += budget.TrySpend(Addresses.At(i / 1e4), Addresses.Of("203.0.113.7:53")) ? 1 : 0;
        }

        for (int i = 0; i < 100_000; i++)
        {
            Endpoint target = Endpoint.FromIPv4(0xC633_6400u + (uint)(i % 256), (ushort)(1 + (i / 256)));
            toNetwork += budget.TrySpend(Addresses.At(10 + (i / 1e4)), target) ? 1 : 0;
        }

        for (int i = 0; i < 100_000; i++)
        {
            Endpoint target = Endpoint.FromIPv4(0x0900_0000u + ((uint)i << 8), 53);
            toAll += budget.TrySpend(Addresses.At(100 + (i / 1e4)), target) ? 1 : 0;
        }

        Assert.InRange(toEndpoint, 1, 26);
        Assert.InRange(toNetwork, 1, 128 + 160 + 1);
        Assert.InRange(toAll, 1, 512 + 2000 + 1);
    }

    [Fact]
    public void ShouldSwitch_never_wants_to_go_both_ways()
    {
        string[] remotes = ["10.0.0.1:1", "203.0.113.7:1", "[2001:db8::7]:1"];
        Gen<PathQuality> quality = Gen.Select(Gen.Int[0, 2], Gen.ULong[0, 1], Gen.Int[0, 2000])
            .Select((remote, channel, milliseconds) =>
                new PathQuality(new(Addresses.Of(remotes[remote]), channel), TimeSpan.FromMilliseconds(milliseconds / 4.0)));
        Gen.Select(quality, quality).Sample((a, b) => !(PathPreference.ShouldSwitch(a, b) && PathPreference.ShouldSwitch(b, a)));
    }

    [Theory]
    [InlineData("relay", 10, "203.0.113.7:1", 300, true)] // direct whatever the time
    [InlineData("203.0.113.7:1", 300, "relay", 10, false)]
    [InlineData("203.0.113.7:1", 50, "203.0.113.8:1", 45, false)] // noise
    [InlineData("203.0.113.7:1", 50, "203.0.113.8:1", 35, true)]
    [InlineData("203.0.113.7:1", 50, "[2001:db8::7]:1", 52, true)] // as fast, and IPv6
    [InlineData("203.0.113.7:1", 50, "[2001:db8::7]:1", 58, false)]
    [InlineData("[2001:db8::7]:1", 10, "192.168.1.2:1", 1, true)]
    [InlineData("192.168.1.2:1", 1, "[2001:db8::7]:1", 1, false)]
    public void ShouldSwitch_cases(string current, int currentMs, string challenger, int challengerMs, bool expected) =>
        Assert.Equal(expected, PathPreference.ShouldSwitch(Quality(current, currentMs), Quality(challenger, challengerMs)));

    private static PathQuality Quality(string path, int milliseconds) => new(
        path == "relay" ? new(Addresses.Of("198.51.100.9:1"), 7) : new(Addresses.Of(path)), TimeSpan.FromMilliseconds(milliseconds));
}
