using Carrier.Benchmarks.Flood;

namespace Carrier.Tests.Bootstrap;

/// <summary>The flood of <c>carrier-bench flood</c>, five seconds of it: everything it bounds but the time of a dial, which a busy machine decides.</summary>
public class FloodTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Seed_under_a_flood_of_mutants_and_replays_keeps_every_bound()
    {
        FloodReport report = await FloodRun.RunAsync(Path.Combine(AppContext.BaseDirectory, "carrier-seed.dll"), TimeSpan.FromSeconds(5));

        output.WriteLine(report.ToJson());
        Assert.Empty(report.Broken());
        Assert.True(report.SentDatagrams > 10_000, $"{report.SentDatagrams} datagrams are no flood");
    }
}
