using System.Globalization;
using Carrier.Benchmarks.Measuring;

namespace Carrier.Benchmarks.Many;

/// <summary>A hundred busy sessions, ten thousand idle ones, a hundred thousand streams: one line of JSON each, exit code 1 when a bar is missed.</summary>
/// <remarks>A process a side on a core each; of figures both sides have the worse one counts.</remarks>
internal static class ManyCommand
{
    private const int IdleSessions = 10_000;

    /// <summary>What all sessions together must reach of a single stream's rate, and the slowest stream of the mean.</summary>
    private const double TotalBar = 0.8;

    private const double SlowestBar = 0.5;

    /// <summary>What an idle session may hold, and all of them may use of a core.</summary>
    private const double IdleBytesBar = 8 * 1024;

    private const double IdleCoreBar = 0.02;

    /// <summary>What 90,000 streams may leave behind, in bytes: noise of the collector.</summary>
    private const double LeakBar = 2 << 20;

    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(40);

    public static async Task<int> RunAsync(BenchOptions options)
    {
        string[] parts = options.Arguments.Count == 0 ? ["share", "idle", "streams"] : [.. options.Arguments];
        bool holds = true;
        foreach (string part in parts)
        {
            await using ChildProcess server = ChildProcess.Start(PeerPair.ServerCore, ["many", "server", .. options.TransportOptions]);
            string arg = await server.ReadArgAsync();
            await using ChildProcess client = ChildProcess.Start(PeerPair.ClientCore, ["many", part, arg, .. options.TransportOptions]);
            holds &= part switch
            {
                "share" => await ShareAsync(client),
                "idle" => await IdleAsync(client, server),
                _ => await StreamsAsync(client, server),
            };
        }

        return holds ? 0 : 1;
    }

    private static async Task<bool> ShareAsync(ChildProcess client)
    {
        Dictionary<string, double?> figures = Figures.Read(await client.ReadLineAsync());
        double total = Samples.Ratio(figures["many_MBps"] ?? 0, figures["one_MBps"] ?? 0);
        double slowest = Samples.Ratio(figures["slowest_MBps"] ?? 0, figures["mean_MBps"] ?? 0);
        Console.WriteLine(Figures.Write([
            .. figures.Select(figure => (figure.Key, figure.Value)),
            ("total_to_one", total), ("bar_total_to_one", TotalBar), ("slowest_to_mean", slowest), ("bar_slowest_to_mean", SlowestBar)]));
        return total >= TotalBar && slowest >= SlowestBar;
    }

    private static async Task<bool> IdleAsync(ChildProcess client, ChildProcess server)
    {
        Dictionary<string, double?> clientBefore = await AskAsync(client, IdleSessions.ToString(CultureInfo.InvariantCulture));
        Dictionary<string, double?> serverBefore = await AskAsync(server, "figures");
        Dictionary<string, double?> clientAfter = await AskAsync(client, "open");
        Dictionary<string, double?> serverAfter = await AskAsync(server, "figures");
        (TimeSpan clientCpu, TimeSpan serverCpu) = (client.ProcessorTime, server.ProcessorTime);
        await Task.Delay(IdleTime);
        double clientCore = (client.ProcessorTime - clientCpu) / IdleTime;
        double serverCore = (server.ProcessorTime - serverCpu) / IdleTime;
        (double Managed, double Resident) dialler = Growth(clientBefore, clientAfter);
        (double Managed, double Resident) listener = Growth(serverBefore, serverAfter);
        double worstBytes = Math.Max(Math.Max(dialler.Managed, dialler.Resident), Math.Max(listener.Managed, listener.Resident));
        double worstCore = Math.Max(clientCore, serverCore);
        Console.WriteLine(Figures.Write(
            ("sessions", IdleSessions),
            ("client_managed_bytes", dialler.Managed), ("client_resident_bytes", dialler.Resident),
            ("server_managed_bytes", listener.Managed), ("server_resident_bytes", listener.Resident), ("bar_bytes", IdleBytesBar),
            ("client_core", clientCore), ("server_core", serverCore), ("bar_core", IdleCoreBar)));
        return worstBytes <= IdleBytesBar && worstCore <= IdleCoreBar;
    }

    private static async Task<bool> StreamsAsync(ChildProcess client, ChildProcess server)
    {
        Dictionary<string, double?> clientEarly = Figures.Read(await client.ReadLineAsync());
        Dictionary<string, double?> serverEarly = await AskAsync(server, "figures");
        Dictionary<string, double?> clientLate = await AskAsync(client, "go on");
        Dictionary<string, double?> serverLate = await AskAsync(server, "figures");
        double left = (clientLate["streams"] + serverLate["streams"] + clientLate["slabs"] + serverLate["slabs"]) ?? double.NaN;
        double clientGrowth = (clientLate["managed"] - clientEarly["managed"]) ?? double.NaN;
        double serverGrowth = (serverLate["managed"] - serverEarly["managed"]) ?? double.NaN;
        Console.WriteLine(Figures.Write(
            ("streams", StreamChurn.Cycles * (double)StreamChurn.StreamsACycle), ("streams_per_s", clientLate["streams_per_s"]),
            ("left_over", left), ("client_growth_bytes", clientGrowth), ("server_growth_bytes", serverGrowth), ("bar_bytes", LeakBar),
            ("client_resident_growth_bytes", clientLate["resident"] - clientEarly["resident"]),
            ("server_resident_growth_bytes", serverLate["resident"] - serverEarly["resident"])));
        return left == 0 && clientGrowth <= LeakBar && serverGrowth <= LeakBar;
    }

    private static (double Managed, double Resident) Growth(Dictionary<string, double?> before, Dictionary<string, double?> after) =>
        (((after["managed"] - before["managed"]) ?? double.NaN) / IdleSessions, ((after["resident"] - before["resident"]) ?? double.NaN) / IdleSessions);

    private static async Task<Dictionary<string, double?>> AskAsync(ChildProcess child, string line)
    {
        await child.WriteLineAsync(line);
        return Figures.Read(await child.ReadLineAsync());
    }
}
