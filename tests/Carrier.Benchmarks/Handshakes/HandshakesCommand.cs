using System.Globalization;
using Carrier.Benchmarks.Measuring;

namespace Carrier.Benchmarks.Handshakes;

/// <summary>Dials one device again and again, a process a side on a core each, and prints one line of JSON; exit code 1 when a bar is missed.</summary>
/// <remarks>
/// A handshake counts from the dial until one byte came back on a stream of the session, so that both sides have proven their TrustIDs, and the closing
/// of the session is paid for within the time. Under a flood the bar is half of what was reached just before it.
/// </remarks>
internal static class HandshakesCommand
{
    /// <summary>Handshakes a second that must be reached one after another, and by many diallers at once.</summary>
    private const double SequentialBar = 1_500;

    private const double ParallelBar = 3_500;

    /// <summary>What must be left under a flood.</summary>
    private const double FloodBar = 0.5;

    /// <summary>Spoofed initiations a second, each from an address that answers nothing.</summary>
    private const int FloodPerSecond = 50_000;

    public static async Task<int> RunAsync(BenchOptions options)
    {
        await using ChildProcess server = ChildProcess.Start(PeerPair.ServerCore, ["peer", "server", "--ends-with-input", .. options.TransportOptions]);
        string arg = await server.ReadArgAsync();
        Rounds quiet = new();
        Rounds flooded = new();
        for (int round = 0; round < options.Rounds; round++)
        {
            quiet.Add(await MeasureAsync(server, arg, options));
            if (options.Flood)
            {
                await using ChildProcess flood = ChildProcess.Start(
                    PeerPair.ClientCore, "handshakes", "flood", arg.Split('/')[2], FloodPerSecond.ToString(CultureInfo.InvariantCulture));
                _ = await flood.ReadArgAsync();
                flooded.Add(await MeasureAsync(server, arg, options));
            }
        }

        double rate = quiet.Median("hs_per_s") ?? 0;
        double bar = options.Parallel > 1 ? ParallelBar : SequentialBar;
        double? kept = options.Flood ? flooded.MedianRatio("hs_per_s", quiet) : null;
        Console.WriteLine(Figures.Write(
            ("parallel", options.Parallel),
            ("hs_per_s", rate),
            ("bar_hs_per_s", bar),
            ("hs_p50_us", quiet.Median("hs_p50_us")),
            ("hs_p99_us", quiet.Median("hs_p99_us")),
            ("dial_p50_us", quiet.Median("dial_p50_us")),
            ("cpu_client_us", quiet.Median("cpu_client_us")),
            ("cpu_server_us", quiet.Median("cpu_server_us")),
            ("flood_per_s", options.Flood ? FloodPerSecond : null),
            ("flooded_hs_per_s", options.Flood ? flooded.Median("hs_per_s") : null),
            ("flooded_hs_p99_us", options.Flood ? flooded.Median("hs_p99_us") : null),
            ("flooded_kept", kept),
            ("bar_flooded_kept", options.Flood ? FloodBar : null),
            ("failed", quiet.Sum("failed") + flooded.Sum("failed"))));
        return rate >= bar && kept is not < FloodBar ? 0 : 1;
    }

    private static async Task<Dictionary<string, double?>> MeasureAsync(ChildProcess server, string arg, BenchOptions options)
    {
        await using ChildProcess client = ChildProcess.Start(PeerPair.ClientCore, [
            "handshakes", "client", arg,
            "--handshakes", options.Handshakes.ToString(CultureInfo.InvariantCulture),
            "--parallel", options.Parallel.ToString(CultureInfo.InvariantCulture),
            .. options.TransportOptions]);
        _ = await client.ReadArgAsync(); // warm; what the server spends from here on is for what is counted
        TimeSpan before = server.ProcessorTime;
        await client.WriteLineAsync("go");
        Dictionary<string, double?> figures = Figures.Read(await client.ReadLineAsync());
        figures["cpu_server_us"] = (server.ProcessorTime - before).TotalMicroseconds / options.Handshakes;
        return figures;
    }
}
