using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Probe;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Beside;

/// <summary>
/// <c>carrier-lab hyperdht</c>: HyperDHT, as npm has it, dials every ordered pair of the same sites behind the same NATs, by public key, with new
/// processes at both ends each time; with <c>--beside</c> carrier dials each pair right before it, as fresh.
/// </summary>
/// <param name="script">What every process of HyperDHT's runs.</param>
/// <param name="commands">Carrier's programs; null to leave it out.</param>
internal sealed class HyperDhtCommand(Arguments arguments, string script, CarrierCommands? commands)
{
    private const int DefaultFileBytes = 2 << 20;

    private readonly int _repeats = Math.Max(1, arguments.Count("--repeats", 1));
    private readonly List<Dial> _theirs = [];
    private readonly List<Dial> _ours = [];

    /// <summary>The kinds of site when none are named.</summary>
    public static IReadOnlyList<SiteKind> KindsOf(Arguments arguments) => HyperDhtCases.KindsOf(arguments) ?? SiteKinds.Usual;

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        if (!await NatVerifier.VerifyAsync(network, tally, cancellation))
        {
            throw new LabException("a NAT is not what its name says, so nothing measured behind it would mean anything");
        }

        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine(arguments.Text("--artifacts") ?? "artifacts/lab", network.Prefix))).FullName;
        bool mayRelay = !arguments.Has("--no-relay");
        await using (HyperDhtFleet theirs = await HyperDhtFleet.StartAsync(network, script, artifacts, mayRelay, cancellation))
        {
            if (arguments.Text("--case") is not null)
            {
                await new HyperDhtCases(arguments, network, theirs, tally).RunAsync(cancellation);
            }
            else
            {
                try
                {
                    await DialAllAsync(network, theirs, artifacts, cancellation);
                    DialReports.Judge(_theirs, _ours, tally);
                }
                finally
                {
                    // Half an hour of dials is worth reading though it was interrupted.
                    Console.WriteLine(arguments.Has("--json")
                        ? DialReports.ToJson(network.Topology, _theirs, _ours, mayRelay)
                        : DialReports.Table(network.Topology, _theirs, _ours));
                }
            }
        }

        if (tally.ExitCode == Tally.ExitPassed && !arguments.Has("--keep"))
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    private async Task DialAllAsync(LabNetwork network, HyperDhtFleet theirs, string artifacts, CancellationToken cancellation)
    {
        (Site From, Site To)[] pairs = [.. network.Topology.Pairs.Where(pair => pair.From.Kind.CarriesUdp() && pair.To.Kind.CarriesUdp())];
        Site[] sites = [.. pairs.SelectMany(pair => new[] { pair.From, pair.To }).Distinct()];
        var flows = new FlowCounters(network);
        await using Fleet? ours = commands is null ? null : await Fleet.StartAsync(network, commands, sites, artifacts, cancellation);
        for (int round = 1; round <= _repeats; round++)
        {
            foreach ((Site from, Site to) in pairs)
            {
                if (ours is not null)
                {
                    _ours.Add(await DialOursAsync(ours, from, to, round, flows, artifacts, cancellation));
                    Say("carrier", _ours[^1]);
                }

                _theirs.Add(await theirs.DialAsync(from, to, round, flows, cancellation));
                Say("hyperdht", _theirs[^1]);
            }
        }
    }

    /// <summary>As the matrix does it, but only the two nodes are up.</summary>
    private async Task<Dial> DialOursAsync(Fleet ours, Site from, Site to, int round, FlowCounters flows, string artifacts, CancellationToken cancellation)
    {
        await ours.RestartAsync([from, to], cancellation);
        int bytes = MatrixCommand.FileBytesFor(from, to, arguments.Count("--bytes", DefaultFileBytes));
        Trial trial = await Trial.RunAsync(ours[from], ours[to], round, bytes, flows, artifacts, cancellation);
        await Task.WhenAll(ours[from].DownAsync(), ours[to].DownAsync());
        return Dial.Of(trial);
    }

    private void Say(string who, Dial dial) => Tally.Say(
        $"  {dial.Round}/{_repeats}  {who,-9} {dial.From,-18} -> {dial.To,-18} {(dial.FirstByteMs is null ? "FAILED" : dial.Direct ? "direct" : "relayed"),-7} "
        + $"{dial.FirstByteMs,6:F0} ms  {dial.Failure}");
}
