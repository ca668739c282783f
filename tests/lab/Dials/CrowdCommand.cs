using System.Diagnostics;
using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Dials;

/// <summary><c>carrier-lab crowd</c>: many hosts, each behind a NAT of its own, dial one symmetric host at the same moment.</summary>
internal sealed class CrowdCommand(Arguments arguments, CarrierCommands commands)
{
    private const int DefaultDiallers = 5;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>How many hosts dial.</summary>
    public static int DiallersOf(Arguments arguments) => Math.Clamp(arguments.Count("--clients", DefaultDiallers), 1, Topology.MaxCrowd);

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine(arguments.Text("--artifacts") ?? "artifacts/lab", network.Prefix))).FullName;
        Site host = network.Topology.Find("symmetric-b");
        await using (Fleet fleet = await Fleet.StartAsync(network, commands, [host, .. network.Topology.Crowd], artifacts, cancellation))
        {
            await fleet.RestartAsync([host, .. network.Topology.Crowd], cancellation);
            Dial?[] dials = await Task.WhenAll(network.Topology.Crowd.Select(site => DialAsync(fleet[site], fleet[host], cancellation)));
            double[] times = [.. dials.OfType<Dial>().Select(dial => dial.Milliseconds).Order()];
            int direct = dials.Count(dial => dial is { Path: "direct" });
            tally.Check(times.Length == dials.Length, $"{dials.Length} hosts dial one symmetric host at once: {times.Length}/{dials.Length} connected, {direct} direct by the first answer, "
                + $"dial to first answer p50 {PairSummary.Percentile(times, 0.5):F0} ms, p90 {PairSummary.Percentile(times, 0.9):F0} ms, longest {PairSummary.Percentile(times, 1):F0} ms");
        }

        if (tally.ExitCode == Tally.ExitPassed && !arguments.Has("--keep"))
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    /// <summary>A ping over a fresh session: the time is that of the whole command, the lookup, the handshake and the answer.</summary>
    private static async Task<Dial?> DialAsync(SiteNode from, SiteNode to, CancellationToken cancellation)
    {
        long begun = Stopwatch.GetTimestamp();
        ToolResult ping = await from.RunAsync(CarrierCommands.Ping(from.Folder, to.TrustId), Deadline, cancellation);
        if (ping.Succeeded)
        {
            return new Dial(CarrierCommands.PingReportOf(ping.Output).Path, Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }

        Tally.Say($"  {from.Site}: {ping.Output}{ping.Error}".TrimEnd());
        return null;
    }

    private sealed record Dial(string Path, double Milliseconds);
}
