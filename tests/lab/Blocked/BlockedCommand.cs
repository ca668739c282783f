using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Blocked;

/// <summary><c>carrier-lab blocked</c>: homes whose network carries no UDP, or TCP to port 443 alone, reach everyone, and go back to UDP when it appears.</summary>
internal sealed class BlockedCommand(CarrierCommands commands)
{
    private const int FileBytes = 1 << 20;

    /// <summary>Dial to first byte, lookup included.</summary>
    private const double FirstByteBarMs = 2000;

    /// <summary>Drops all UDP that passes the router: most guest networks' "web only".</summary>
    private const string NoUdp = "meta l4proto udp drop";

    /// <summary>Drops all but TCP to port 443 and what belongs to it.</summary>
    private const string Tcp443Only = "ct state established,related accept\n tcp dport 443 accept\n drop";

    /// <summary>A tunnelled node tries UDP every ten seconds.</summary>
    private static readonly TimeSpan ReturnPatience = TimeSpan.FromSeconds(25);

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        Site a = network.Topology.Find("port-restricted", 'a'), b = network.Topology.Find("port-restricted", 'b');
        Site openA = network.Topology.Find("public", 'a'), openB = network.Topology.Find("public", 'b');
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine("artifacts/lab", network.Prefix))).FullName;
        var flows = new FlowCounters(network);
        await BlockAsync(network, a, NoUdp, cancellation);
        await BlockAsync(network, b, Tcp443Only, cancellation);
        Site[] sites = [a, b, openA, openB];
        await using (Fleet fleet = await Fleet.StartAsync(network, commands, sites, artifacts, cancellation))
        {
            await fleet.RestartAsync(sites, cancellation);
            (string Name, Site From, Site To)[] pairs =
            [
                ("udp-blocked -> tcp443-only", a, b),
                ("tcp443-only -> udp-blocked", b, a),
                ("udp-blocked -> public", a, openB),
                ("public -> tcp443-only", openA, b),
            ];
            foreach ((string name, Site from, Site to) in pairs)
            {
                Trial trial = await Trial.RunAsync(fleet[from], fleet[to], 1, FileBytes, flows, artifacts, cancellation);
                tally.Check(trial is { Connected: true, HashEqual: true, FirstByteMs: <= FirstByteBarMs },
                    $"{name}: {trial.Path}, first byte {trial.FirstByteMs:F0} ms (bar {FirstByteBarMs:F0}), hashes equal: {trial.HashEqual}  {trial.Failure}");
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

    // A table of its own, before the router's: whatever the NAT, it never sees what is dropped here.
    private static Task<string> BlockAsync(LabNetwork network, Site site, string rules, CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", network.RouterOf(site), "nft", "-f", "-"], $$"""
            table ip blocked {
                chain forward {
                    type filter hook forward priority filter - 10; policy accept;
                    {{rules}}
                }
            }

            """, cancellation);

    private static Task<string> UnblockAsync(LabNetwork network, Site site, CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", network.RouterOf(site), "nft", "delete", "table", "ip", "blocked"], cancellation: cancellation);
}
