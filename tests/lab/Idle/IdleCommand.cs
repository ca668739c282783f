using System.Globalization;
using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Idle;

/// <summary><c>carrier-lab idle</c>: what an agent that nobody talks to costs: bytes on the wire, processor time, memory, mappings at its NAT.</summary>
internal sealed class IdleCommand(Arguments arguments, CarrierCommands commands)
{
    private const double DefaultSeconds = 120;
    private const double BytesBar = 60;
    private const double ProcessorBar = 0.001;
    private const double MegabytesBar = 60;
    private const int MappingsBar = 3;
    private const int EthernetHeader = 14;

    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(30);

    /// <summary>The sites it needs.</summary>
    public static IReadOnlyList<SiteKind> Kinds => [SiteKind.PortRestricted];

    public static string Missing => Tool.Exists("conntrack") ? "" : "conntrack, to count mappings: apt-get install conntrack";

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine(arguments.Text("--artifacts") ?? "artifacts/lab", network.Prefix))).FullName;
        Site site = network.Topology.Find("port-restricted-a");
        double seconds = arguments.Number("--seconds", DefaultSeconds);
        await using (Fleet fleet = await Fleet.StartAsync(network, commands, [site], artifacts, cancellation))
        {
            SiteNode node = fleet[site];
            await node.UpAloneAsync(fleet.SeedContacts, cancellation);
            await Task.Delay(Settled, cancellation);
            (long bytes, long beyond, double processor) before = (HostBytes(network, site), RouterBytes(network, site), ProcessorSeconds(node.ProcessId));
            int mappings = 0;
            for (double waited = 0; waited < seconds; waited += 10)
            {
                mappings = Math.Max(mappings, await MappingsAsync(network, site, cancellation));
                await Task.Delay(TimeSpan.FromSeconds(Math.Min(10, seconds - waited)), cancellation);
            }

            double rate = (HostBytes(network, site) - before.bytes) / seconds, beyond = (RouterBytes(network, site) - before.beyond) / seconds;
            double share = (ProcessorSeconds(node.ProcessId) - before.processor) / seconds;
            double megabytes = ResidentBytes(node.ProcessId) / 1e6;
            tally.Check(rate <= BytesBar, $"idle behind a port-restricted NAT for {seconds:F0} s: {rate:F1} B/s at the host, both ways, IP headers included (bar {BytesBar:F0}), {beyond:F1} beyond the router");
            tally.Check(share <= ProcessorBar, $"processor: {share:P3} of a core (bar {ProcessorBar:P1})");
            tally.Check(megabytes <= MegabytesBar, $"resident: {megabytes:F1} MB (bar {MegabytesBar:F0})");
            tally.Check(mappings <= MappingsBar, $"mappings held at the NAT: {mappings} (bar {MappingsBar})");
        }

        if (tally.ExitCode == Tally.ExitPassed && !arguments.Has("--keep"))
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    /// <summary>
    /// Translated flows in the router's table, one for each far end the host spoke to lately. What has no second left is not held: the kernel neither
    /// finds nor translates it any more and only has not swept it yet.
    /// </summary>
    private static async Task<int> MappingsAsync(LabNetwork network, Site site, CancellationToken cancellation)
    {
        string listing = await Tool.MustRunAsync("ip", ["netns", "exec", network.RouterOf(site), "conntrack", "-L", "-p", "udp"], cancellation: cancellation);
        string[] held = [.. listing.Split('\n').Where(line => line.Contains($"src={site.HostAddress} ", StringComparison.Ordinal) && line.Contains($"dst={site.PublicAddress} ", StringComparison.Ordinal)
            && SecondsLeft(line) > 0)];
        if (held.Length > MappingsBar)
        {
            Tally.Say(string.Join('\n', held.Select(line => $"  held: {line}")));
        }

        return held.Length;
    }

    /// <summary>Of <c>udp 17 SECONDS src=…</c>.</summary>
    private static int SecondsLeft(string line) => int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2], CultureInfo.InvariantCulture);

    /// <summary>Bytes of IP packets so far, both ways, ARP and all that the agent says on its LAN included.</summary>
    private static long HostBytes(LabNetwork network, Site site) => BytesThrough(network.HostOf(site), "eth0");

    private static long RouterBytes(LabNetwork network, Site site) => BytesThrough(network.RouterOf(site), "wan0");

    private static long BytesThrough(string netns, string device) => NetworkNamespace.Run(netns, () =>
    {
        string line = File.ReadLines("/proc/thread-self/net/dev").First(line => line.TrimStart().StartsWith($"{device}:", StringComparison.Ordinal));
        long[] fields = [.. line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(f => long.Parse(f, CultureInfo.InvariantCulture))];
        return fields[0] + fields[8] - (EthernetHeader * (fields[1] + fields[9]));
    });

    /// <summary>Of all threads, as the scheduler counts it.</summary>
    private static double ProcessorSeconds(int processId) => Directory.EnumerateDirectories($"/proc/{processId}/task")
        .Sum(task => long.Parse(File.ReadAllText(Path.Combine(task, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture)) / 1e9;

    private static long ResidentBytes(int processId) => 1024 * long.Parse(
        File.ReadLines($"/proc/{processId}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
