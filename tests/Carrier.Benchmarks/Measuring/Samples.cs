namespace Carrier.Benchmarks.Measuring;

/// <summary>Order statistics of measured values.</summary>
internal static class Samples
{
    public static double Median(IEnumerable<double> values) => Percentile(values, 0.5);

    /// <summary>The nearest-rank percentile; zero of nothing.</summary>
    public static double Percentile(IEnumerable<double> values, double fraction)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? 0 : sorted[Math.Clamp((int)Math.Ceiling(fraction * sorted.Length) - 1, 0, sorted.Length - 1)];
    }

    /// <summary>Divides, giving zero for nothing by nothing.</summary>
    public static double Ratio(double value, double by) => by == 0 ? 0 : value / by;
}
