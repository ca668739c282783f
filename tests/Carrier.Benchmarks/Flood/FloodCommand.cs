namespace Carrier.Benchmarks.Flood;

/// <summary>The command: one line of JSON, and an exit code that says whether every bound held.</summary>
internal static class FloodCommand
{
    private const int DefaultSeconds = 60;

    public static async Task<int> RunAsync(BenchOptions options)
    {
        FloodReport report = await FloodRun.RunAsync(options.Arguments[0], TimeSpan.FromSeconds(options.Seconds > 0 ? options.Seconds : DefaultSeconds));
        Console.WriteLine(report.ToJson());
        List<string> broken = [.. report.Broken()];
        if (report.SlowestDial > FloodReport.MaxDialSeconds)
        {
            broken.Add($"the slowest dial took {report.SlowestDial:F2} s");
        }

        broken.ForEach(Console.Error.WriteLine);
        return broken.Count == 0 ? 0 : 1;
    }
}
