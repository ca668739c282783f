namespace Carrier.Benchmarks.Measuring;

/// <summary>The figures of one subject over all rounds.</summary>
internal sealed class Rounds
{
    private readonly List<Dictionary<string, double?>> _rounds = [];

    public void Add(Dictionary<string, double?> figures) => _rounds.Add(figures);

    /// <summary>The median of one figure, or null where no round knew it.</summary>
    public double? Median(string name)
    {
        List<double> known = [.. _rounds.Select(round => round.GetValueOrDefault(name)).OfType<double>()];
        return known.Count == 0 ? null : Samples.Median(known);
    }

    public double Sum(string name) => _rounds.Sum(round => round.GetValueOrDefault(name) ?? 0);

    /// <summary>The median of this subject's figure over the other's of the same round: noise that both met cancels.</summary>
    public double MedianRatio(string name, Rounds other) =>
        Samples.Median(_rounds.Zip(other._rounds, (mine, its) => Samples.Ratio(mine[name] ?? 0, its[name] ?? 0)));
}
