using System.Globalization;
using Carrier.Lab.Living;
using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Beside;

/// <summary><c>carrier-lab hyperdht --case NAME</c>: what <c>living --case rebind</c> and <c>crowd</c> ask of carrier, asked of HyperDHT.</summary>
internal sealed class HyperDhtCases(Arguments arguments, LabNetwork network, HyperDhtFleet theirs, Tally tally)
{
    private const string Rebind = "rebind";
    private const string Crowd = "crowd";
    private const int DefaultRebindings = 20;

    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan RecoveryDeadline = TimeSpan.FromSeconds(15);

    /// <summary>The sites that the case named needs; null when none is.</summary>
    public static IReadOnlyList<SiteKind>? KindsOf(Arguments arguments) => arguments.Text("--case") switch
    {
        null => null,
        Rebind => [SiteKind.PortRestricted],
        Crowd => [SiteKind.Symmetric],
        var other => throw new LabException($"no case '{other}'; there are: {Rebind}, {Crowd}"),
    };

    public static bool HasCrowd(Arguments arguments) => arguments.Text("--case") == Crowd;

    public Task RunAsync(CancellationToken cancellation) => HasCrowd(arguments) ? CrowdAsync(cancellation) : RebindAsync(cancellation);

    /// <summary>The router forgets, and another port is the host's from then on. Each stream is a new one: none goes on.</summary>
    private async Task RebindAsync(CancellationToken cancellation)
    {
        Site from = network.Topology.Find("port-restricted-a"), to = network.Topology.Find("port-restricted-b");
        var disturbance = new Disturbance(network);
        var times = new List<double>();
        int tries = arguments.Count("--repeats", DefaultRebindings), connected = 0;
        for (int i = 1; i <= tries; i++)
        {
            await using HyperDhtPair pair = await theirs.FreshPairAsync(from, to, cancellation);
            DialReport dialled = await pair.Dialler.DialAsync(pair.Dialled.Key, RecoveryDeadline, RecoveryDeadline, 1, cancellation);
            connected += dialled.Error is null ? 1 : 0;
            await Task.Delay(Settled, cancellation);
            await disturbance.RebindAsync(from, cancellation);
            EchoReport echo = await pair.Dialler.EchoAsync(RecoveryDeadline, cancellation);
            times.AddRange(echo.Ms is { } ms ? [ms] : []);
            Tally.Say($"  {i}/{tries}  hyperdht, NAT rebinding, another port: {dialled.Host ?? dialled.Error} {echo.Ms?.ToString("F0", CultureInfo.InvariantCulture) ?? echo.Error}");
        }

        times.Sort();
        Console.WriteLine($"hyperdht, NAT rebinding, another port: {times.Count}/{connected} streams went on within {RecoveryDeadline.TotalSeconds:F0} s, "
            + $"p50 {PairSummary.Percentile(times, 0.5):F0} ms");
        tally.Check(connected == tries, $"hyperdht had a stream to disturb in {connected}/{tries}");
    }

    /// <summary>Hosts behind NATs of their own dial one symmetric host at the same moment.</summary>
    private async Task CrowdAsync(CancellationToken cancellation)
    {
        Site host = network.Topology.Find("symmetric-b");
        var flows = new FlowCounters(network);
        await using HyperDhtNode dialled = await theirs.FreshAsync(host, cancellation);
        var diallers = new List<HyperDhtNode>();
        try
        {
            foreach (Site site in network.Topology.Crowd)
            {
                diallers.Add(await theirs.FreshAsync(site, cancellation));
            }

            await flows.ResetAsync(cancellation);
            Dial[] dials = await Task.WhenAll(diallers.Select(dialler => theirs.DialAsync(new HyperDhtPair(dialler, dialled), 1, flows, cancellation)));
            foreach (Dial dial in dials)
            {
                Tally.Say($"  {dial.From}: {dial.FirstByteMs:F0} ms, {(dial.Direct ? $"direct after {dial.DirectMs:F0} ms" : "not direct")} {dial.Failure}");
            }

            var summary = DialSummary.Of(dials);
            Console.WriteLine($"hyperdht, {dials.Length} hosts dial one symmetric host at once: {summary.Connected}/{summary.Dials} connected, {summary.Direct} direct within 15 s, "
                + $"dial to first byte p50 {summary.P50Ms:F0} ms, longest {summary.LongestMs:F0} ms");
            tally.Check(dials.Length > 0, $"hyperdht was asked by {dials.Length} at once");
        }
        finally
        {
            await Task.WhenAll(diallers.Select(dialler => dialler.DisposeAsync().AsTask()));
        }
    }
}
