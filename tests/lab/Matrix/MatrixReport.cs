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
            trials[0].From, trials[0].To, trials.Count, trials.Count(t => t.Connected), trials.Count(t => t.Direct), trials.Count(t => t.HashEqual), trials.Count(t => t.Failure.Length > 0),
            Percentile(times, 0.5), Percentile(times, 0.9), Percentile(pings, 0.5));
    }

    /// <summary>Nearest rank; not a number for an empty list.</summary>
    public static double Percentile(IReadOnlyList<double> sorted, double fraction) =>
        sorted.Count == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(sorted.Count * fraction) - 1)];
}

/// <summary>The table, the JSON and the bars.</summary>
internal static class MatrixReport
{
    /// <summary>Dial to first byte, at most this in half of a pair's dials. HyperDHT takes 300 ms when neither end is symmetric.</summary>
    private const double MedianBarMs = 350;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    public static string Table(IReadOnlyList<PairSummary> pairs)
    {
        int width = pairs.Max(p => p.From.Length + p.To.Length + 4);
        IEnumerable<string> rows = pairs.Select(p =>
            $"{$"{p.From} -> {p.To}".PadRight(width)}  {$"{p.Connected}/{p.Trials}",9}  {$"{p.Direct}/{p.Trials}",6}  {$"{p.HashesEqual}/{p.Trials}",6}  {Ms(p.P50Ms),6}  {Ms(p.P90Ms),6}  {Ms(p.PingMs),7}");
        return string.Join('\n', rows.Prepend($"{"pair".PadRight(width)}  {"connected",9}  {"direct",6}  {"hashes",6}  {"p50 ms",6}  {"p90 ms",6}  {"ping ms",7}"));
    }

    public static string ToJson(IReadOnlyList<PairSummary> pairs, IReadOnlyList<Trial> trials) => JsonSerializer.Serialize(new { pairs, trials }, Json);

    /// <summary>
    /// No trial failed (connected, equal hashes, no false claim of "direct"), the median first byte was in time, and pairs without a
    /// symmetric end went direct every time.
    /// </summary>
    public static void Judge(IReadOnlyList<PairSummary> pairs, Topology topology, Tally tally)
    {
        foreach (PairSummary pair in pairs)
        {
            bool mustBeDirect = !HasSymmetricEnd(topology, pair);
            bool holds = pair.Failed == 0
                && (pair.Direct == pair.Trials || !mustBeDirect)
                && pair.P50Ms <= MedianBarMs;
            tally.Check(holds, $"{pair.From} -> {pair.To}: connected {pair.Connected}/{pair.Trials}, hashes equal {pair.HashesEqual}/{pair.Trials}, direct {pair.Direct}/{pair.Trials}{(mustBeDirect ? "" : " (not asked)")}, first byte p50 {Ms(pair.P50Ms)} ms");
        }
    }

    private static bool HasSymmetricEnd(Topology topology, PairSummary pair) =>
        topology.Find(pair.From).Kind == SiteKind.Symmetric || topology.Find(pair.To).Kind == SiteKind.Symmetric;

    private static string Ms(double value) => double.IsNaN(value) ? "-" : $"{value:F0}";
}
