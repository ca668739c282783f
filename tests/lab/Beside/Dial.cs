using Carrier.Lab.Matrix;

namespace Carrier.Lab.Beside;

/// <summary>One fresh dial of either program.</summary>
/// <param name="FirstByteMs">Dial to the first byte of the peer's answer; null when none came.</param>
/// <param name="Direct">Said by the dialler and seen by the network.</param>
/// <param name="DirectMs">When a path that was relayed at first became direct, by HyperDHT's word; null when none did, and for ours, which does not say.</param>
/// <param name="Failure">Why it did not work; empty when it did.</param>
internal sealed record Dial(string From, string To, int Round, double? FirstByteMs, bool Direct, double? DirectMs, string Failure)
{
    public static Dial Of(Trial trial) => new(trial.From, trial.To, trial.Round, trial.Connected ? trial.FirstByteMs : null, trial.Direct, null, trial.Failure);
}

/// <summary>Many dials summed up: how many came through, how many directly, and how long they took.</summary>
internal sealed record DialSummary(int Dials, int Connected, int Direct, double P50Ms, double P90Ms, double LongestMs)
{
    public static DialSummary Of(IReadOnlyCollection<Dial> dials)
    {
        double[] times = [.. dials.Where(dial => dial.FirstByteMs is not null).Select(dial => dial.FirstByteMs!.Value).Order()];
        return new(
            dials.Count,
            Connected: times.Length,
            Direct: dials.Count(dial => dial.Direct),
            P50Ms: PairSummary.Percentile(times, 0.5),
            P90Ms: PairSummary.Percentile(times, 0.9),
            LongestMs: PairSummary.Percentile(times, 1));
    }
}
