using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Blocked;

/// <summary><c>carrier-lab blocked</c>: homes whose network carries no UDP, or TCP to port 443 alone, reach everyone, and go back to UDP when it appears.</summary>
internal sealed class BlockedCommand(Arguments arguments, CarrierCommands commands)
{
    private const int FileBytes = 1 << 20;
    private const int DefaultRepeats = 1;

    /// <summary>Dial to first byte by processes that were just started, lookup included.</summary>
    private const double FirstByteBarMs = 2000;

    /// <summary>A tunnelled node tries UDP every ten seconds.</summary>
    private static readonly TimeSpan ReturnPatience = TimeSpan.FromSeconds(25);

    /// <summary>The sites it needs.</summary>
    public static IReadOnlyList<SiteKind> Kinds => [SiteKind.Public, SiteKind.UdpBlocked, SiteKind.Tcp443Only];

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        Site a = network.Topology.Find(SiteKind.UdpBlocked.Name(), 'a'), b = network.Topology.Find(SiteKind.Tcp443Only.Name(), 'b');
        Site openA = network.Topology.Find(SiteKind.Public.Name(), 'a'), openB = network.Topology.Find(SiteKind.Public.Name(), 'b');
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine("artifacts/lab", network.Prefix))).FullName;
        var flows = new FlowCounters(network);
        Site[] sites = [a, b, openA, openB];
        await using (Fleet fleet = await Fleet.StartAsync(network, commands, sites, artifacts, cancellation))
        {
            (string Name, Site From, Site To)[] pairs =
            [
                ("udp-blocked -> tcp443-only", a, b),
                ("tcp443-only -> udp-blocked", b, a),
                ("udp-blocked -> public", a, openB),
                ("public -> tcp443-only", openA, b),
            ];
            await fleet.RestartAsync(sites, cancellation);
            int repeats = (int)arguments.Number("--repeats", DefaultRepeats);
            foreach ((string name, Site from, Site to) in pairs)
            {
                List<Trial> trials = [];
                while (trials.Count < repeats)
                {
                    await fleet.RestartAsync([from, to], cancellation);
                    trials.Add(await Trial.RunAsync(fleet[from], fleet[to], trials.Count + 1, FileBytes, flows, artifacts, cancellation));
                }

                double[] firstBytes = [.. trials.Where(trial => trial.Connected).Select(trial => trial.FirstByteMs).Order()];
                tally.Check(
                    trials.TrueForAll(trial => trial is { Connected: true, HashEqual: true, FirstByteMs: <= FirstByteBarMs }),
                    $"{name}: {trials.Count(trial => trial is { Connected: true, HashEqual: true })} of {repeats} with equal hashes, {string.Join(' ', trials.Select(trial => trial.Path).Distinct())}, "
                    + $"first byte p50 {PairSummary.Percentile(firstBytes, 0.5):F0} ms, longest {PairSummary.Percentile(firstBytes, 1):F0} (bar {FirstByteBarMs:F0})  {trials.Find(trial => trial.Failure.Length > 0)?.Failure}");
            }

            await UnblockAsync(network, a, cancellation);
            Trial? direct = null;
            for (DateTime end = DateTime.UtcNow + ReturnPatience; direct is not { Direct: true } && DateTime.UtcNow < end; await Task.Delay(1000, cancellation))
            {
                direct = await Trial.RunAsync(fleet[a], fleet[openA], 2, FileBytes, flows, artifacts, cancellation);
            }

            tally.Check(direct is { Direct: true, HashEqual: true }, $"unblocked -> public: {direct?.Path}, once UDP appeared  {direct?.Failure}");
        }

        if (tally.ExitCode == Tally.ExitPassed)
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    private static Task<string> UnblockAsync(LabNetwork network, Site site, CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", network.RouterOf(site), "nft", "insert", "rule", "ip", "home", "forward", "iifname", "!=", "wan0", "accept"], cancellation: cancellation);
}
