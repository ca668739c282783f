using Carrier.Lab.Matrix;

namespace Carrier.Lab.Beside;

/// <summary>One fresh dial of either program.</summary>
/// <param name="FirstByteMs">Dial to the first byte of the peer's answer; null when none came.</param>
/// <param name="Direct">Said by the dialler and seen by the network.</param>
/// <param name="DirectMs">Dial to a direct path, by the dialler's word; null when there was none.</param>
/// <param name="Failure">Why it did not work; empty when it did.</param>
internal sealed record Dial(string From, string To, int Round, double? FirstByteMs, bool Direct, double? DirectMs, string Failure)
{
    public static Dial Of(Trial trial) => new(trial.From, trial.To, trial.Round, trial.Connected ? trial.FirstByteMs : null, trial.Direct, trial.DirectMs, trial.Failure);
}

/// <summary>Many dials summed up: how many came through, how many directly, and how long they took.</summary>
/// <param name="P50Ms">Dial to first byte, as the next two.</param>
/// <param name="DirectP50Ms">Dial to a direct path, of those that had one, as the next.</param>
internal sealed record DialSummary(
    int Dials, int Connected, int Direct, double P50Ms, double P90Ms, double LongestMs, double DirectP50Ms, double DirectLongestMs)
{
    public static DialSummary Of(IReadOnlyCollection<Dial> dials)
    {
        double[] times = [.. dials.Where(dial => dial.FirstByteMs is not null).Select(dial => dial.FirstByteMs!.Value).Order()];
        double[] directTimes = [.. dials.Where(dial => dial is { Direct: true, DirectMs: not null }).Select(dial => dial.DirectMs!.Value).Order()];
        return new(
            dials.Count,
            Connected: times.Length,
            Direct: dials.Count(dial => dial.Direct),
            P50Ms: PairSummary.Percentile(times, 0.5),
            P90Ms: PairSummary.Percentile(times, 0.9),
            LongestMs: PairSummary.Percentile(times, 1),
            DirectP50Ms: PairSummary.Percentile(directTimes, 0.5),
            DirectLongestMs: PairSummary.Percentile(directTimes, 1));
    }
}
