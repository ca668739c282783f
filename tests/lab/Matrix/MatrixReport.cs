using System.Text.Json;
using System.Text.Json.Serialization;
using Carrier.Lab.Network;

namespace Carrier.Lab.Matrix;

/// <summary>All trials of one ordered pair, summed up.</summary>
internal sealed record PairSummary(
    string From, string To, int Trials, int Connected, int Direct, int HashesEqual, int Failed, double P50Ms, double P90Ms, double PingMs)
{
    public static PairSummary Of(IReadOnlyList<Trial> trials)
    {
        double[] times = [.. trials.Where(t => t.Connected).Select(t => t.FirstByteMs).Order()];
        double[] pings = [.. trials.Where(t => t.Ping is not null).Select(t => t.Ping!.RttMs).Order()];
        return new(
            trials[0].From,
            trials[0].To,
            trials.Count,
            Connected: trials.Count(t => t.Connected),
            Direct: trials.Count(t => t.Direct),
            HashesEqual: trials.Count(t => t.HashEqual),
            Failed: trials.Count(t => t.Failure.Length > 0),
            P50Ms: Percentile(times, 0.5),
            P90Ms: Percentile(times, 0.9),
            PingMs: Percentile(pings, 0.5));
    }

    /// <summary>Nearest rank; not a number for an empty list.</summary>
    public static double Percentile(IReadOnlyList<double> sorted, double fraction) =>
        sorted.Count == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(sorted.Count * fraction) - 1)];
}

/// <summary>The table, the JSON and the bars.</summary>
internal static class MatrixReport
{
    /// <summary>Dial to first byte, at most this in half of all dials; one dial alone says more of the machine than of the network. HyperDHT takes 300 ms when neither end is symmetric.</summary>
    private const double MedianBarMs = 350;

    /// <summary>Dial to first byte at most, whatever stands between.</summary>
    private const double LongestBarMs = 2000;

    /// <summary>Where ports have to be reckoned chance has a part: of all such dials together this many go direct. One round has too few of them to show 99 %.</summary>
    private const double ReckonedBar = 0.75;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    public static string Table(IReadOnlyList<PairSummary> pairs)
    {
        int width = pairs.Max(p => p.From.Length + p.To.Length + 4);
        return string.Join('\n', pairs.Select(Columns).Prepend(["pair", "connected", "direct", "hashes", "p50 ms", "p90 ms", "ping ms"])
            .Select(row => string.Concat(row.Select((text, i) => i == 0 ? text.PadRight(width) : text.PadLeft(11)))));
    }

    public static string ToJson(IReadOnlyList<PairSummary> pairs, IReadOnlyList<Trial> trials) => JsonSerializer.Serialize(new { pairs, trials }, Json);

    /// <summary>
    /// No trial failed (connected, equal hashes, no false claim of "direct"), pairs without a symmetric end went direct every time, most of
    /// those with one port to reckon did, and the median first byte of all was in time.
    /// </summary>
    public static void Judge(IReadOnlyList<PairSummary> pairs, IReadOnlyList<Trial> trials, Topology topology, Tally tally)
    {
        foreach (PairSummary pair in pairs)
        {
            bool mustBeDirect = MayBeDirect(topology, pair) && !IsReckoned(topology, pair);
            bool holds = pair.Failed == 0 && (pair.Direct == pair.Trials || !mustBeDirect);
            tally.Check(holds, $"{pair.From} -> {pair.To}: connected {pair.Connected}/{pair.Trials}, hashes equal {pair.HashesEqual}/{pair.Trials}, "
                + $"direct {pair.Direct}/{pair.Trials}{(mustBeDirect ? "" : " (not asked)")}, first byte p50 {Ms(pair.P50Ms)} ms");
        }

        PairSummary[] reckoned = [.. pairs.Where(pair => MayBeDirect(topology, pair) && IsReckoned(topology, pair))];
        if (reckoned.Length > 0)
        {
            int dials = reckoned.Sum(pair => pair.Trials), direct = reckoned.Sum(pair => pair.Direct);
            tally.Check(direct >= ReckonedBar * dials, $"ports that have to be reckoned: direct {direct}/{dials} (bar {ReckonedBar:P0})");
        }

        double median = PairSummary.Percentile([.. pairs.Select(pair => pair.P50Ms).Order()], 0.5);
        tally.Check(median <= MedianBarMs, $"dial to first byte, p50 of the pairs: {Ms(median)} ms (bar {MedianBarMs:F0})");
        double[] times = [.. trials.Where(trial => trial.Connected).Select(trial => trial.FirstByteMs).Order()];
        double longest = PairSummary.Percentile(times, 1);
        tally.Check(longest <= LongestBarMs, $"dial to first byte, of all dials: p90 {Ms(PairSummary.Percentile(times, 0.9))} ms, longest {Ms(longest)} (bar {LongestBarMs:F0})");
    }

    private static string[] Columns(PairSummary pair) =>
    [
        $"{pair.From} -> {pair.To}",
        $"{pair.Connected}/{pair.Trials}",
        $"{pair.Direct}/{pair.Trials}",
        $"{pair.HashesEqual}/{pair.Trials}",
        Ms(pair.P50Ms),
        Ms(pair.P90Ms),
        Ms(pair.PingMs),
    ];

    /// <summary>What the two networks permit: UDP at all, a family in common, and by IPv4 their NATs; the hosts of one guest network may not speak to each other, and their NAT does not hairpin.</summary>
    private static bool MayBeDirect(Topology topology, PairSummary pair)
    {
        SiteKind from = topology.Find(pair.From).Kind, to = topology.Find(pair.To).Kind;
        Families shared = SiteDesign.Of(from).Families & SiteDesign.Of(to).Families;
        return from.CarriesUdp() && to.CarriesUdp()
            && shared != Families.None
            && (shared.HasFlag(Families.IPv6) || !from.IsSymmetric() || !to.IsSymmetric() || (from == SiteKind.Sequential && to == SiteKind.Sequential))
            && !(from == SiteKind.IsolatedHome && to == SiteKind.IsolatedHome);
    }

    /// <summary>IPv6 has no ports to reckon.</summary>
    private static bool IsReckoned(Topology topology, PairSummary pair)
    {
        Site from = topology.Find(pair.From), to = topology.Find(pair.To);
        return (from.Kind.IsSymmetric() || to.Kind.IsSymmetric()) && !(from.Design.HasIPv6 && to.Design.HasIPv6);
    }

    private static string Ms(double value) => double.IsNaN(value) ? "-" : $"{value:F0}";
}
