using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Carrier.Benchmarks.Measuring;
using Carrier.Node.Homes;

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
        string program = options.Arguments[0];
        int clients = options.Arguments.Count > 1 ? int.Parse(options.Arguments[1], CultureInfo.InvariantCulture) : DefaultClients;
        string folder = Directory.CreateTempSubdirectory("carrier-bench-").FullName;
        int http = FreePort();
        ProcessStartInfo info = new(program, ["--listen", "127.0.0.1:0", "--http", $"127.0.0.1:{http}", "--state", folder]) { RedirectStandardOutput = true };
        using Process seed = Process.Start(info)!;
        try
        {
            string ready = await seed.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException($"{program} ended without serving.");
            _ = SeedAddress.TryParse(ready.AsSpan("READY ".Length), out SeedAddress address);
            double idleMegabytes = ResidentMegabytes(seed);
            using ClientCrowd crowd = new(clients, new HomeContact(address.Key, Core.Endpoint.From(IPEndPoint.Parse($"{address.Host}:{address.Port}"))));
            TimeSpan coming = crowd.Drive(Patience, () => crowd.ReadyCount == clients);
            double seedSeconds = seed.TotalProcessorTime.TotalSeconds;
            _ = crowd.Drive(Settling, () => false);
            int registered = await RegistrationsAsync(http);
            Console.WriteLine(Figures.Write(
                ("clients", clients), ("registered", registered), ("ready", crowd.ReadyCount), ("rss_idle_MB", idleMegabytes), ("rss_MB", ResidentMegabytes(seed)),
                ("rss_peak_MB", seed.PeakWorkingSet64 / 1e6), ("s_until_all_ready", coming.TotalSeconds), ("seed_cpu_s", seedSeconds)));
        }
        finally
        {
            seed.Kill();
            await seed.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double ResidentMegabytes(Process process)
    {
        process.Refresh();
        return process.WorkingSet64 / 1e6;
    }

    private static async Task<int> RegistrationsAsync(int http)
    {
        const string Name = "carrier_home_registrations ";
        using HttpClient client = new();
        string text = await client.GetStringAsync(new Uri($"http://127.0.0.1:{http}/metrics"));
        string line = text.Split('\n').First(line => line.StartsWith(Name, StringComparison.Ordinal));
        return int.Parse(line.AsSpan(Name.Length), NumberStyles.Integer, CultureInfo.InvariantCulture);
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
