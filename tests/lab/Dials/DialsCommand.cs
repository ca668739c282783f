using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Dials;

/// <summary><c>carrier-lab dials A B</c>: how long fresh dials of one pair take, as a distribution. Only the dialler is new each time.</summary>
internal sealed class DialsCommand(Arguments arguments, CarrierCommands commands)
{
    private const int DefaultDials = 100;
    private const int FileBytes = 16 << 10;
    private const double DefaultBarMs = 500;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine(arguments.Text("--artifacts") ?? "artifacts/lab", network.Prefix))).FullName;
        Site a = network.Topology.Find(arguments.Words[0], 'a'), b = network.Topology.Find(arguments.Words[1], 'b');
        int dials = Math.Max(1, arguments.Count("--repeats", DefaultDials));
        double bar = arguments.Number("--bar-ms", DefaultBarMs);
        string file = Path.Combine(artifacts, "dial.bin");
        await File.WriteAllBytesAsync(file, new byte[FileBytes], cancellation);
        var times = new List<double>();
        int direct = 0;
        await using (Fleet fleet = await Fleet.StartAsync(network, commands, [a, b], artifacts, cancellation))
        {
            await fleet.RestartAsync([b], cancellation);
            for (int i = 0; i < dials; i++)
            {
                await fleet.RestartAsync([a], cancellation);
                ToolResult sent = await fleet[a].RunAsync(CarrierCommands.Send(fleet[a].Folder, file, fleet[b].TrustId), Deadline, cancellation);
                if (sent.Succeeded && CarrierCommands.SendReportOf(sent.Output) is var report)
                {
                    times.Add(report.FirstByteMs);
                    direct += report.Path == "direct" ? 1 : 0;
                }
                else
                {
                    Tally.Say($"  {i + 1}/{dials}  {sent.Output}{sent.Error}".TrimEnd());
                }
            }
        }

        times.Sort();
        double median = PairSummary.Percentile(times, 0.5);
        tally.Check(times.Count == dials && median <= bar,
            $"{a} -> {b}: {times.Count}/{dials} connected, {direct} direct when the file was sent, first byte p50 {median:F0} ms (bar {bar:F0}), "
            + $"p90 {PairSummary.Percentile(times, 0.9):F0}, p99 {PairSummary.Percentile(times, 0.99):F0}, longest {PairSummary.Percentile(times, 1):F0} ms");
        if (tally.ExitCode == Tally.ExitPassed && !arguments.Has("--keep"))
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }
}
