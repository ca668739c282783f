using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Carrier.Benchmarks.Measuring;
using Carrier.Node.Homes;

namespace Carrier.Benchmarks.Seeds;

/// <summary>A real carrier-seed process on loopback, with a state folder of its own. Disposing kills it.</summary>
internal sealed class SeedProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _folder;
    private readonly HttpClient _http;

    private SeedProcess(Process process, string folder, int http)
    {
        (_process, _folder) = (process, folder);
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{http}"), Timeout = TimeSpan.FromSeconds(30) };
    }

    public SeedAddress Address { get; private set; }

    public HomeContact Contact => new(Address.Key, Core.Endpoint.From(IPEndPoint.Parse($"{Address.Host}:{Address.Port}")));

    public bool IsAlive => !_process.HasExited;

    public double ProcessorSeconds => _process.TotalProcessorTime.TotalSeconds;

    public double PeakResidentMegabytes => _process.PeakWorkingSet64 / 1e6;

    /// <param name="program">A carrier-seed: the program, or its assembly.</param>
    /// <param name="core">The only core it may use; null for all.</param>
    /// <param name="settings">Its settings besides where it listens and keeps its state.</param>
    public static async Task<SeedProcess> StartAsync(string program, int? core = null, params IEnumerable<string> settings)
    {
        string folder = Directory.CreateTempSubdirectory("carrier-bench-").FullName;
        int http = FreePort();
        string[] arguments = ["--listen", "127.0.0.1:0", "--http", $"127.0.0.1:{http}", "--state", folder, .. settings];
        bool isAssembly = program.EndsWith(".dll", StringComparison.Ordinal);
        ProcessStartInfo info = new(isAssembly ? "dotnet" : program, isAssembly ? [program, .. arguments] : arguments) { RedirectStandardOutput = true };
        SeedProcess seed = new(core is { } one ? ProcessorCore.Run(one, () => Process.Start(info)!) : Process.Start(info)!, folder, http);
        string ready = await seed._process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException($"{program} ended without serving.");
        _ = SeedAddress.TryParse(ready.AsSpan("READY ".Length), out SeedAddress address);
        seed.Address = address;
        return seed;
    }

    public double ResidentMegabytes()
    {
        _process.Refresh();
        return _process.WorkingSet64 / 1e6;
    }

    public async Task<bool> IsHealthyAsync() => await _http.GetStringAsync(new Uri("/healthz", UriKind.Relative)) == "ok\n";

    /// <summary>One figure of its metrics; the seed gathers them every ten seconds.</summary>
    public async Task<double> MetricAsync(string name)
    {
        string text = await _http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        string line = text.Split('\n').First(line => line.StartsWith(name + " ", StringComparison.Ordinal));
        return double.Parse(line.AsSpan(name.Length + 1), NumberStyles.Float, CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (IsAlive)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
