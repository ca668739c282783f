using System.Diagnostics;
using System.Globalization;
using Carrier.Chain.Channels;
using Carrier.Simulation.Channels;

namespace Carrier.Benchmarks.Channels;

/// <summary><c>carrier-bench channels</c>: many adversarial schedules, failing seeds printed as they are found.</summary>
internal static class ScheduleCommand
{
    /// <returns>0 when no honest side lost more than it agreed to.</returns>
    public static int Run(BenchOptions options)
    {
        RefundForm form = options.Naive ? RefundForm.Naive : RefundForm.Gated;
        int failed = 0;
        long worstPayer = long.MinValue;
        long worstPayee = long.MinValue;
        var endings = new SortedDictionary<ChannelEnding, int>();
        long started = Stopwatch.GetTimestamp();
        for (long seed = options.Seed; seed < options.Seed + options.Schedules; seed++)
        {
            var schedule = new ChannelSchedule((ulong)seed, form);
            ChannelOutcome? outcome = Try(schedule);
            if (outcome is not null)
            {
                worstPayer = schedule.Hostile == HostileSide.Payer ? worstPayer : Math.Max(worstPayer, outcome.PayerLoss - outcome.PayerBound);
                worstPayee = schedule.Hostile == HostileSide.Payee ? worstPayee : Math.Max(worstPayee, outcome.PayeeLoss - outcome.PayeeBound);
                endings[outcome.Ending] = endings.GetValueOrDefault(outcome.Ending) + 1;
            }

            if (outcome is null or { IsViolation: true })
            {
                failed++;
                Console.WriteLine($"{schedule}\n    {outcome}");
            }
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $$"""{"schedules":{{options.Schedules}},"firstSeed":{{options.Seed}},"form":"{{form}}","failed":{{failed}},"payerLossBelowBound":{{-worstPayer}},"payeeLossBelowBound":{{-worstPayee}},"endings":{{{string.Join(',', endings.Select(ending => $"\"{ending.Key}\":{ending.Value}"))}}},"seconds":{{elapsed.TotalSeconds:F1}}}"""));
        return failed == 0 ? 0 : 1;
    }

    /// <summary>Null, and said why, when a machine stopped itself: a broken invariant is a failed schedule.</summary>
    private static ChannelOutcome? Try(ChannelSchedule schedule)
    {
        using var world = new ChannelWorld(schedule);
        try
        {
            return world.Run();
        }
        catch (Exception e) when (e is ChannelInvariantException or InvalidOperationException)
        {
            Console.WriteLine(e);
            return null;
        }
    }
}
