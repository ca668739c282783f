namespace Carrier.Dht.Routing;

/// <summary>Estimates how many nodes serve from how close the closest k of finished lookups were.</summary>
/// <remarks>
/// Of N nodes at uniform places, the i-th closest to any target lies at i/(N+1) of the key space; the least-squares fit over the closest k
/// gives N + 1 = Σi² / Σ(i·dᵢ). One crowded or starved target must not move the answer, so it is the median of the last few.
/// </remarks>
internal sealed class NetworkSize
{
    private const int Kept = 16;

    /// <summary>Fewer distances than this say nothing worth keeping.</summary>
    private const int MinDistances = 4;

    private readonly List<double> _estimates = new(Kept);
    private int _next;

    /// <summary>The median of the recent estimates, or zero when there is none.</summary>
    public double Nodes { get; private set; }

    /// <summary>Learns from the distances of the closest nodes of one finished lookup, ascending, as fractions of the key space.</summary>
    public void Learn(ReadOnlySpan<double> fractions)
    {
        if (fractions.Length < MinDistances)
        {
            return;
        }

        double squares = 0;
        double weighted = 0;
        for (int i = 0; i < fractions.Length; i++)
        {
            double rank = i + 1;
            squares += rank * rank;
            weighted += rank * fractions[i];
        }

        if (weighted <= 0)
        {
            return;
        }

        double estimate = squares / weighted;
        if (_estimates.Count < Kept)
        {
            _estimates.Add(estimate);
        }
        else
        {
            _estimates[_next] = estimate;
            _next = (_next + 1) % Kept;
        }

        Nodes = Median();
    }

    /// <summary>The fraction of the key space around a target in which k nodes are expected; zero while the size is unknown.</summary>
    public double ExpectedKDistance(int k) => Nodes < 2 * k ? 0 : k / (Nodes + 1);

    private double Median()
    {
        Span<double> sorted = stackalloc double[Kept];
        sorted = sorted[.._estimates.Count];
        _estimates.CopyTo(sorted);
        sorted.Sort();
        return sorted[sorted.Length / 2];
    }
}
