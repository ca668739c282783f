using System.Globalization;
using Carrier.Simulation.Channels;

namespace Carrier.Tests.Chain.Channels;

/// <summary>Nobody loses more than its window: the two shipped machines over the devnet's ledger, through seeded schedules of everything that goes wrong.</summary>
/// <remarks>A failing seed is in the message; <c>CARRIER_CHANNEL_SEED=n</c> runs that one alone, <c>carrier-bench channels --schedules 10000</c> runs them all.</remarks>
public class ChannelScheduleTests
{
    private const int Schedules = 400;

    [Fact]
    public void Run_gated_channel_under_adversarial_schedules_no_honest_side_loses_more_than_its_window()
    {
        string? only = Environment.GetEnvironmentVariable("CARRIER_CHANNEL_SEED");
        ulong first = only is null ? 1 : ulong.Parse(only, CultureInfo.InvariantCulture);
        var endings = new HashSet<ChannelEnding>();
        for (ulong seed = first; seed < first + (only is null ? Schedules : 1U); seed++)
        {
            var schedule = new ChannelSchedule(seed);
            ChannelOutcome outcome = Run(schedule);
            Assert.False(outcome.IsViolation, $"{schedule}\n{outcome}");
            _ = endings.Add(outcome.Ending);
        }

        Assert.True(only is not null || endings.IsSupersetOf([ChannelEnding.Closed, ChannelEnding.Refunded]), "schedules that always end the same way show little");
    }

    /// <summary>Schedules that once failed: an old close sent before the watchtower was asked, and effects overtaken by the end of the channel.</summary>
    [Theory]
    [InlineData(636)]
    [InlineData(3118)]
    [InlineData(3235)]
    [InlineData(3747)]
    [InlineData(4084)]
    [InlineData(5471)]
    [InlineData(7313)]
    [InlineData(9233)]
    [InlineData(9380)]
    [InlineData(108983)]
    public void Run_schedule_that_once_failed_nobody_loses(int seed)
    {
        var schedule = new ChannelSchedule((ulong)seed);
        ChannelOutcome outcome = Run(schedule);
        Assert.False(outcome.IsViolation, $"{schedule}\n{outcome}");
    }

    [Fact]
    public void Run_naive_channel_under_the_same_schedules_the_payee_is_robbed()
    {
        int robbed = 0;
        for (ulong seed = 1; seed <= 60; seed++)
        {
            var schedule = new ChannelSchedule(seed, RefundForm.Naive);
            ChannelOutcome outcome = Run(schedule);
            robbed += outcome.IsViolation ? 1 : 0;
            Assert.True(!outcome.IsViolation || (schedule.Hostile == HostileSide.Payer && outcome.PayeeLoss > outcome.PayeeBound), $"{schedule}\n{outcome}");
        }

        Assert.True(robbed >= 5, $"the textbook's refund robbed the payee in {robbed} of 60 schedules only: the suite has no teeth");
    }

    [Fact]
    public void Run_same_seed_twice_same_outcome()
    {
        for (ulong seed = 1; seed <= 12; seed++)
        {
            Assert.Equal(Run(new ChannelSchedule(seed)), Run(new ChannelSchedule(seed)));
        }
    }

    private static ChannelOutcome Run(ChannelSchedule schedule)
    {
        using var world = new ChannelWorld(schedule);
        return world.Run();
    }
}
