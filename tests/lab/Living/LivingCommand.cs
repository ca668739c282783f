using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Living;

/// <summary>
/// <c>carrier-lab living</c>: what real networks do to a session in the middle of a stream, and how soon the stream flows again. With
/// <c>--short</c> a few tries each, judged by whether they recover and not by how soon: so few say more of the machine than of the network.
/// </summary>
internal sealed class LivingCommand(Arguments arguments, CarrierCommands commands)
{
    private const long UpgradeBytes = 64L << 20;

    private static readonly TimeSpan RecoveryDeadline = TimeSpan.FromSeconds(15);
    /// <summary>How long a transfer has nothing but the relay.</summary>
    private static readonly TimeSpan Severed = TimeSpan.FromSeconds(1.5);

    /// <summary>After a seed came back: the nodes choose their homes anew.</summary>
    private static readonly TimeSpan Rehomed = TimeSpan.FromSeconds(6);

    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(1.5);

    private readonly List<string[]> _rows = [["case", "recovered", "p50 ms", "longest ms", "bar"]];
    private Site? _dead;

    /// <summary>The sites it needs.</summary>
    public static IReadOnlyList<SiteKind> Kinds => [SiteKind.PortRestricted, SiteKind.Symmetric, SiteKind.SymmetricV6];

    public static string Missing => Tool.Exists("conntrack") ? "" : "conntrack, to make a router forget: apt-get install conntrack";

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine(arguments.Text("--artifacts") ?? "artifacts/lab", network.Prefix))).FullName;
        Site a = network.Topology.Find("port-restricted-a"), b = network.Topology.Find("port-restricted-b");
        Site hardA = network.Topology.Find("symmetric-a"), hardB = network.Topology.Find("symmetric-b");
        Site bothA = network.Topology.Find("symmetric-v6-a"), bothB = network.Topology.Find("symmetric-v6-b");
        var disturbance = new Disturbance(network);
        await using (Fleet fleet = await Fleet.StartAsync(network, commands, [a, b, hardA, hardB, bothA, bothB], artifacts, cancellation))
        {
            var bench = new Bench(network, fleet, tally, _rows, MustBeSoon: !arguments.Has("--short"), cancellation);
            await CaseAsync("upgrade", 3, tries => UpgradeAsync(bench, disturbance, a, b, tries));
            await CaseAsync("rebind", 20, tries => bench.RecoverAsync("NAT rebinding, another port", a, b, tries, 1000, () => disturbance.RebindAsync(a, cancellation)));
            await CaseAsync("move", 10, tries => bench.RecoverAsync("another address, inside and outside", a, b, tries, 1000, () => disturbance.MoveAsync(a, cancellation)));
            await CaseAsync("family", 20, tries => bench.RecoverAsync("the other family alone, peer with both", bothA, bothB, tries, 1000, () => disturbance.ChangeFamilyAsync(bothB, cancellation)));
            await CaseAsync("family-relayed", 20, tries => bench.RecoverAsync("the other family alone, peer with IPv4", bothB, hardA, tries, 1000, () => disturbance.ChangeFamilyAsync(bothB, cancellation)));
            await CaseAsync("relay", 3, tries => bench.RecoverAsync("relay killed", hardA, hardB, tries, 2000, () => KillRelayAsync(network, fleet, hardA, hardB, cancellation), fresh: true));
            await CaseAsync("suspend", 3, tries => bench.RecoverAsync("process stopped for 5 s", a, b, tries, 1000, () => Disturbance.SuspendAsync(fleet[a], cancellation)));
            await CaseAsync("unplug", 3, tries => bench.RecoverAsync("link down for 3 s", a, b, tries, 1000, () => disturbance.UnplugAsync(a, cancellation)));
        }

        Console.WriteLine(string.Join('\n', _rows.Select(row => string.Concat(row.Select((text, i) => i == 0 ? text.PadRight(40) : text.PadLeft(i == row.Length - 1 ? 22 : 14))))));
        if (tally.ExitCode == Tally.ExitPassed && !arguments.Has("--keep"))
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    private async Task CaseAsync(string name, int tries, Func<int, Task> run)
    {
        if (arguments.Text("--case") is not { } listed || listed.Split(',').Contains(name))
        {
            await run(Math.Max(1, arguments.Count("--repeats", arguments.Has("--short") ? 2 : tries)));
        }
    }

    /// <summary>A fresh dial sends at once, over the relay since nothing passes directly; then something does, and the stream must not notice that it moves.</summary>
    private static async Task UpgradeAsync(Bench bench, Disturbance disturbance, Site from, Site to, int tries)
    {
        var gaps = new List<double>();
        int whole = 0, upgraded = 0;
        for (int i = 0; i < tries; i++)
        {
            await bench.RestartAsync(from, to);
            await bench.Flows.ResetAsync(bench.Cancellation);
            await disturbance.SeverAsync(from, to, bench.Cancellation);
            await using LivingStream? stream = await LivingStream.TryOpenAsync(bench.Network, bench.Fleet[from], bench.Fleet[to], down: false, bench.Cancellation);
            if (stream is null)
            {
                await disturbance.HealAsync(bench.Cancellation);
                Tally.Say($"  {i + 1}/{tries}  no connection");
                continue;
            }

            Task<bool> transfer = stream.TransferAsync(UpgradeBytes, bench.Cancellation);
            await Task.Delay(Severed, bench.Cancellation);
            await disturbance.HealAsync(bench.Cancellation);
            whole += await transfer ? 1 : 0;
            gaps.Add(stream.LongestGap.TotalMilliseconds);
            SentBytes sent = await bench.Flows.SentByAsync(from, bench.Cancellation);
            long relayed = bench.Network.Topology.Seeds.Sum(sent.To);
            upgraded += relayed > 0 && sent.To(to) > UpgradeBytes / 4 ? 1 : 0;
            Tally.Say($"  {i + 1}/{tries}  relayed {relayed >> 10} KiB, directly {sent.To(to) >> 20} MiB, longest stall {gaps[^1]:F0} ms");
        }

        gaps.Sort();
        bench.Judge($"relay to direct within {UpgradeBytes >> 20} MiB", Math.Min(whole, upgraded), tries, gaps, 200, longest: true);
    }

    /// <summary>Kills the seed that carries most of the stream; the one killed before it is started again first.</summary>
    private async Task KillRelayAsync(LabNetwork network, Fleet fleet, Site from, Site to, CancellationToken cancellation)
    {
        if (_dead is { } dead)
        {
            await fleet.StartSeedAsync(dead, cancellation);
            await Task.Delay(Rehomed, cancellation);
        }

        var flows = new FlowCounters(network);
        await flows.ResetAsync(cancellation);
        await Task.Delay(1000, cancellation);
        SentBytes fromA = await flows.SentByAsync(from, cancellation), fromB = await flows.SentByAsync(to, cancellation);
        Site relay = network.Topology.Seeds.MaxBy(seed => fromA.To(seed) + fromB.To(seed))!;
        _dead = relay;
        await fleet.KillSeedAsync(relay);
    }

    /// <summary>One lab, its processes and the table.</summary>
    private sealed record Bench(LabNetwork Network, Fleet Fleet, Tally Tally, List<string[]> Rows, bool MustBeSoon, CancellationToken Cancellation)
    {
        private readonly HashSet<(Site, Site)> _prepared = [];

        public FlowCounters Flows { get; } = new(Network);

        public async Task RestartAsync(Site from, Site to)
        {
            await Fleet.RestartAsync([from, to], Cancellation);
            if (_prepared.Add((from, to)))
            {
                await LivingStream.PrepareAsync(Fleet[from], Fleet[to], Cancellation);
            }
        }

        /// <summary>One stream lives through all tries, a second one the other way: half of the tries each. A stream that broke is opened anew.</summary>
        /// <param name="fresh">Both agents restart before each try.</param>
        public async Task RecoverAsync(string name, Site from, Site to, int tries, double barMs, Func<Task> disturb, bool fresh = false)
        {
            var times = new List<double>();
            for (int i = 0; i < tries;)
            {
                if (i == 0 || fresh)
                {
                    await RestartAsync(from, to);
                }

                bool down = i >= tries / 2;
                int until = down ? tries : Math.Max(1, tries / 2);
                await using LivingStream? stream = await LivingStream.TryOpenAsync(Network, Fleet[from], Fleet[to], down, Cancellation);
                if (stream is null)
                {
                    Tally.Say($"  {++i}/{tries}  {name}: no connection to disturb");
                    continue;
                }

                using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
                Task running = stream.RunAsync(stop.Token);
                for (bool lives = true; lives && i < until; i++)
                {
                    await Task.Delay(Settled, Cancellation);
                    await disturb();
                    TimeSpan? time = await stream.NextArrivalAsync(RecoveryDeadline, Cancellation);
                    bool recovered = time is not null && stream.InOrder;
                    lives = recovered && !fresh;
                    Tally.Say($"  {i + 1}/{tries}  {name}, {(down ? "receiving" : "sending")}: {(time is { } t ? $"{t.TotalMilliseconds:F0} ms" : "lost")}");
                    if (recovered)
                    {
                        times.Add(time!.Value.TotalMilliseconds);
                    }
                }

                await stop.CancelAsync();
                await running.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            }

            times.Sort();
            Judge(name, times.Count, tries, times, barMs, longest: false);
        }

        /// <param name="longest">The bar is on the longest, else on the median.</param>
        public void Judge(string name, int held, int tries, List<double> sorted, double barMs, bool longest)
        {
            double median = PairSummary.Percentile(sorted, 0.5), worst = sorted.Count == 0 ? double.NaN : sorted[^1];
            bool soon = (longest ? worst : median) <= barMs;
            string bar = $"{(longest ? "all" : "p50")} <= {barMs:F0} {(soon ? "holds" : "MISSED")}";
            Rows.Add([name, $"{held}/{tries}", $"{median:F0}", $"{worst:F0}", bar]);
            Tally.Check(held == tries && (soon || !MustBeSoon), $"{name}: {held}/{tries}, p50 {median:F0} ms, longest {worst:F0} ms (bar: all, {bar})");
        }
    }
}
