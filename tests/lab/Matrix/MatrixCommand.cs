using Carrier.Lab.Network;
using Carrier.Lab.Probe;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Matrix;

/// <summary><c>carrier-lab matrix</c> and <c>carrier-lab pair A B</c>: real carrier processes behind every pair of NATs.</summary>
internal sealed class MatrixCommand(Arguments arguments, CarrierCommands commands)
{
    private const int DefaultFileBytes = 2 << 20;

    /// <summary>How much longer the file is where ports have to be reckoned: it must still be under way when they were.</summary>
    private const int SymmetricFactor = 12;

    private readonly int _repeats = Math.Max(1, arguments.Count("--repeats", 1));
    private readonly int _fileBytes = arguments.Count("--bytes", DefaultFileBytes);

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        if (!await NatVerifier.VerifyAsync(network, tally, cancellation))
        {
            throw new LabException("a NAT is not what its name says, so nothing measured behind it would mean anything");
        }

        (Site From, Site To)[] pairs = arguments.Words is [var a, var b]
            ? [(network.Topology.Find(a, 'a'), network.Topology.Find(b, 'b'))]
            : [.. network.Topology.Pairs.Where(pair => pair.From.Kind.CarriesUdp() && pair.To.Kind.CarriesUdp())];
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine(arguments.Text("--artifacts") ?? "artifacts/lab", network.Prefix))).FullName;
        Tally.Say($"{commands.Carrier} and {commands.Seed}; {pairs.Length} pairs, {_repeats} rounds of {_fileBytes} bytes; {artifacts}");

        IReadOnlyList<Trial> trials = await RunTrialsAsync(network, pairs, artifacts, cancellation);
        PairSummary[] summaries = [.. trials.GroupBy(t => (t.From, t.To)).Select(group => PairSummary.Of([.. group]))];
        MatrixReport.Judge(summaries, trials, network.Topology, tally);
        Console.WriteLine(arguments.Has("--json") ? MatrixReport.ToJson(summaries, trials) : MatrixReport.Table(summaries));
        if (tally.ExitCode == Tally.ExitPassed && !arguments.Has("--keep"))
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    /// <summary>How long a pair's file is, given that of a pair whose path is clear at once.</summary>
    public static int FileBytesFor(Site from, Site to, int bytes) => bytes * (from.Kind.IsSymmetric() || to.Kind.IsSymmetric() ? SymmetricFactor : 1);

    /// <summary>Rounds outermost: the nodes restart between rounds, and no pair occurs twice in a round, so every dial is fresh.</summary>
    private async Task<IReadOnlyList<Trial>> RunTrialsAsync(LabNetwork network, (Site From, Site To)[] pairs, string artifacts, CancellationToken cancellation)
    {
        Site[] sites = [.. pairs.SelectMany(p => new[] { p.From, p.To }).Distinct()];
        var flows = new FlowCounters(network);
        var trials = new List<Trial>();
        await using Fleet fleet = await Fleet.StartAsync(network, commands, sites, artifacts, cancellation);
        for (int round = 1; round <= _repeats; round++)
        {
            await fleet.RestartAsync(sites, cancellation);
            foreach ((Site from, Site to) in pairs)
            {
                if (arguments.Has("--fresh"))
                {
                    await fleet.RestartAsync([from, to], cancellation);
                }

                Trial trial = await Trial.RunAsync(fleet[from], fleet[to], round, FileBytesFor(from, to, _fileBytes), flows, artifacts, cancellation);
                trials.Add(trial);
                Tally.Say($"  {round}/{_repeats}  {from.Name,-18} -> {to.Name,-18} {trial.Path,-6} {trial.FirstByteMs,6:F0} ms"
                    + $"  core saw {trial.DirectShare:P0} direct  {trial.Failure}");
            }
        }

        return trials;
    }
}
