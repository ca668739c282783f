using System.Globalization;
using Carrier.Benchmarks.Measuring;

namespace Carrier.Benchmarks.Seeds;

/// <summary>What a real carrier-seed process takes when many devices are registered there: memory, and processor while they come.</summary>
internal static class SeedCommand
{
    private const int DefaultClients = 1_000;

    /// <summary>How long the seed's figures need after the last device came: they are gathered every ten seconds.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(12);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static async Task RunAsync(BenchOptions options)
    {
        int clients = options.Arguments.Count > 1 ? int.Parse(options.Arguments[1], CultureInfo.InvariantCulture) : DefaultClients;
        await using SeedProcess seed = await SeedProcess.StartAsync(options.Arguments[0]);
        double idleMegabytes = seed.ResidentMegabytes();
        using ClientCrowd crowd = new(clients, seed.Contact);
        TimeSpan coming = crowd.Drive(Patience, () => crowd.ReadyCount == clients);
        double seedSeconds = seed.ProcessorSeconds;
        _ = crowd.Drive(Settling, () => false);
        double registered = await seed.MetricAsync("carrier_home_registrations");
        Console.WriteLine(Figures.Write(
            ("clients", clients), ("registered", registered), ("ready", crowd.ReadyCount), ("rss_idle_MB", idleMegabytes), ("rss_MB", seed.ResidentMegabytes()),
            ("rss_peak_MB", seed.PeakResidentMegabytes), ("s_until_all_ready", coming.TotalSeconds), ("seed_cpu_s", seedSeconds)));
    }
}
