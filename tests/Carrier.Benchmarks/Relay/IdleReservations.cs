using System.Net;
using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Seeds;
using Carrier.Net;

namespace Carrier.Benchmarks.Relay;

/// <summary>What a seed holds for ten thousand devices that are registered and do nothing.</summary>
internal static class IdleReservations
{
    private const int Devices = 10_000;

    /// <summary>Devices a /24, below what a home takes of one.</summary>
    private const int DevicesANetwork = 500;

    /// <summary>The bar in megabytes resident, the seed itself included.</summary>
    private const double MegabytesBar = 200;

    /// <summary>The seed gathers its figures every ten seconds.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(12);

    public static async Task<bool> MeasureAsync(BenchOptions options)
    {
        await using SeedProcess seed = await SeedProcess.StartAsync(options.Arguments[0]);
        double idleMegabytes = seed.ResidentMegabytes();
        List<RelayDevice> devices = [];
        try
        {
            for (int i = 0; i < Devices; i++)
            {
                RelayDevice device = new(seed.Contact, new IPAddress([127, 0, (byte)((i / DevicesANetwork) + 1), 1]), DatagramSockets.SmallKernelBufferBytes);
                devices.Add(device);
                device.Register();
            }

            await Task.Delay(Settling);
            double registered = await seed.MetricAsync("carrier_home_registrations");
            double megabytes = seed.ResidentMegabytes();
            Console.WriteLine(Figures.Write(
                ("reservations", registered), ("rss_empty_MB", idleMegabytes), ("rss_MB", megabytes), ("rss_peak_MB", seed.PeakResidentMegabytes),
                ("bar_MB", MegabytesBar), ("bytes_each", (megabytes - idleMegabytes) * 1e6 / Devices)));
            return registered == Devices && megabytes <= MegabytesBar;
        }
        finally
        {
            devices.ForEach(device => device.Dispose());
        }
    }
}
