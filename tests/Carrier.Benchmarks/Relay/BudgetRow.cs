using System.Diagnostics;
using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Seeds;
using Carrier.Node.Relay;

namespace Carrier.Benchmarks.Relay;

/// <summary>One client far over its budget beside others within theirs, at a seed with the budgets it has by default.</summary>
internal static class BudgetRow
{
    private const int Others = 7;

    /// <summary>Half of a channel's budget each.</summary>
    private const double ModestRate = 4e6;

    /// <summary>Ten times a channel's budget.</summary>
    private const double GreedyRate = 80e6;

    private const int DatagramsATrain = 10;

    /// <summary>What of its rate a client within its budget must get, and by what the one over it may exceed it.</summary>
    private const double ModestBar = 0.99;

    private const double GreedyTolerance = 1.05;

    /// <summary>Long enough to use up what was saved for a burst.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10);

    public static async Task<bool> MeasureAsync(BenchOptions options)
    {
        await using SeedProcess seed = await SeedProcess.StartAsync(options.Arguments[0], PeerPair.ServerCore);
        return ProcessorCore.Run(PeerPair.ClientCore, () => Measure(options, seed));
    }

    private static bool Measure(BenchOptions options, SeedProcess seed)
    {
        using ChannelPairs pairs = new(seed.Contact, Others + 1);
        RelayFlow[] flows = [.. pairs.All.Select(pair => pair.NewFlow(seed.Contact.Endpoint, DatagramsATrain, options.NoGso))];
        _ = Drive(flows, WarmUp);
        (double Sent, double Received)[] rates = Drive(flows, Duration);
        double allowed = new RelayBudgets().Channel.PerSecond;
        double slowest = rates[1..].Min(rate => rate.Received / rate.Sent);
        Console.WriteLine(Figures.Write([
            ("budget_MBps", allowed / 1e6), ("greedy_sent_MBps", rates[0].Sent / 1e6), ("greedy_MBps", rates[0].Received / 1e6), ("others", Others),
            ("others_sent_MBps", rates[1..].Average(rate => rate.Sent) / 1e6),
            .. rates[1..].Select((rate, i) => ($"other{i + 1}_MBps", (double?)(rate.Received / 1e6))), ("slowest_share", slowest), ("bar_share", ModestBar)]));
        return rates[0].Received <= GreedyTolerance * allowed && slowest >= ModestBar;
    }

    /// <summary>Sends at the rates, the greedy flow first; bytes a second that each sent, and that came through.</summary>
    private static (double Sent, double Received)[] Drive(RelayFlow[] flows, TimeSpan duration)
    {
        long[] sent = [.. flows.Select(flow => flow.SentBytes)];
        long[] received = [.. flows.Select(flow => flow.ReceivedBytes)];
        long start = Stopwatch.GetTimestamp();
        double seconds;
        while ((seconds = Stopwatch.GetElapsedTime(start).TotalSeconds) < duration.TotalSeconds)
        {
            for (int i = 0; i < flows.Length; i++)
            {
                if (flows[i].SentBytes - sent[i] < seconds * (i == 0 ? GreedyRate : ModestRate))
                {
                    flows[i].Send();
                }

                flows[i].Receive();
            }
        }

        return [.. flows.Select((flow, i) => ((flow.SentBytes - sent[i]) / seconds, (flow.ReceivedBytes - received[i]) / seconds))];
    }
}
