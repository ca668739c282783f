namespace Carrier.Benchmarks.Relay;

/// <summary>A real carrier-seed as a relay: its rate against the bare loop's, its memory with ten thousand reservations, and one client over its budget beside others.</summary>
internal static class RelayCommand
{
    private static readonly Dictionary<string, Func<BenchOptions, Task<bool>>> Parts = new()
    {
        ["rate"] = ForwardingRate.MeasureAsync,
        ["idle"] = IdleReservations.MeasureAsync,
        ["budget"] = BudgetRow.MeasureAsync,
    };

    public static async Task<int> RunAsync(BenchOptions options)
    {
        bool holds = true;
        foreach ((string name, Func<BenchOptions, Task<bool>> measureAsync) in Parts)
        {
            if (options.Arguments.Count == 1 || options.Arguments.Contains(name))
            {
                holds &= await measureAsync(options);
            }
        }

        return holds ? 0 : 1;
    }
}
