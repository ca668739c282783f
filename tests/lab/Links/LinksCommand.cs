using System.Globalization;
using System.Net.Sockets;
using Carrier.Lab.Network;
using Carrier.Lab.Probe;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Links;

/// <summary><c>carrier-lab links</c>: Carrier and the kernel's TCP CUBIC over the same emulated links, run after run in turn, as one table.</summary>
/// <remarks>Bars are reported. What fails the command is what noise cannot cause: a byte missing or wrong, a floor far below the bar, an emulator that was itself the limit.</remarks>
internal sealed class LinksCommand(string bench, TimeSpan time, int repeats)
{
    private const double MegaByte = 1 << 20;
    private const long MtuDropBytes = 200L << 20;
    private const int ProbeMegabits = 200;

    /// <summary>A machine that others share takes the processor away now and then.</summary>
    private const int ProbeTries = 3;

    /// <summary>
    /// The best round trip of many over 50 ms of delay: a packet the emulator let through early is below, one it forgot above. A busy machine adds a millisecond or two, which is
    /// no fault of it and is told with every case's figures.
    /// </summary>
    private const double ProbeMilliseconds = 53;

    /// <summary>Packets that may leave a millisecond late because somebody else had the processor.</summary>
    private const double LateFraction = 0.02;

    /// <summary>Two flows need this many times the time of one to find their parts: CUBIC's epochs are seconds long.</summary>
    private const int ShareTimes = 3;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private int _barsHeld;
    private int _barsMissed;

    public static async Task RunAsync(Arguments arguments, Tally tally, CancellationToken cancellation)
    {
        string? bench = arguments.Text("--bench") ?? Repository.Program("tests/Carrier.Benchmarks", "carrier-bench");
        if (!File.Exists(bench))
        {
            tally.Skip("links", "no executable carrier-bench: dotnet build -c Release tests/Carrier.Benchmarks, or --bench PATH");
            return;
        }

        bool isShort = arguments.Has("--short");
        double seconds = arguments.Number("--seconds", isShort ? 6 : 20);
        int rounds = arguments.Count("--repeats", isShort ? 1 : 3);
        LinksCommand command = new(Path.GetFullPath(bench), TimeSpan.FromSeconds(seconds), rounds);
        string? only = arguments.Text("--case");
        LinkCase[] cases = [.. LinkCase.All.Where(each => only is not null ? each.Name == only : !isShort || LinkCase.Short.Contains(each.Name))];
        if (cases.Length == 0)
        {
            throw new LabException($"no case '{only}'; there are: {string.Join(", ", LinkCase.All.Select(each => each.Name))}");
        }

        (bool isSound, string finding) = await ProbeAsync(cancellation);
        for (int tries = 1; !isSound && tries < ProbeTries; tries++)
        {
            (isSound, finding) = await ProbeAsync(cancellation);
        }

        tally.Check(isSound, finding);
        Console.WriteLine($"{"case",-16} {"link",-48} {"mode",-5} {"Carrier",9} {"TCP CUBIC",9} {"result",8}  bar");
        foreach (LinkCase each in cases)
        {
            await command.RunCaseAsync(each, tally, cancellation);
        }

        Console.WriteLine($"bars: {command._barsHeld} held, {command._barsMissed} missed; {seconds} s a run, medians of {rounds}");
    }

    /// <summary>The emulator itself, before anything is judged by it: round trip, and a rate twice what any case needs.</summary>
    private static async Task<(bool IsSound, string Finding)> ProbeAsync(CancellationToken cancellation)
    {
        LinkConditions conditions = new() { Delay = TimeSpan.FromMilliseconds(25), RateBitsPerSecond = 1_000_000_000, QueueBytes = 4 << 20, MtuBytes = 1_500 };
        await using LinkNetwork network = await LinkNetwork.BuildAsync(conditions, seed: 1, cancellation);
        using Socket sender = NetworkNamespace.OpenUdp(network.Sending, LinkNetwork.SendingAddress);
        using Socket receiver = NetworkNamespace.OpenUdp(network.Receiving, LinkNetwork.ReceivingAddress);
        await sender.ConnectAsync(receiver.LocalEndPoint!, cancellation);
        await receiver.ConnectAsync(sender.LocalEndPoint!, cancellation);
        double roundTrip = LinkProbe.RoundTripMilliseconds(sender, receiver);
        Throughput throughput = await LinkMeter.FloodAsync(sender, receiver, ProbeMegabits, TimeSpan.FromSeconds(2));
        LinkReport report = (await network.EndAsync(cancellation))[0];
        bool isSound = roundTrip is >= 50 and < ProbeMilliseconds && throughput.LossFraction < 0.001
            && throughput.ReceivedMegabits > 0.95 * throughput.SentMegabits && report.Overrun == 0;
        return (
            isSound,
            $"emulator: round trip at best {roundTrip:F2} ms of 50; {throughput.ReceivedMegabits:F0} of {throughput.SentMegabits:F0} Mbit/s came, {throughput.LossFraction:P2} lost, "
                + $"{report.Late} of {report.Delivered} packets over 1 ms late, worst {report.WorstLatenessMilliseconds:F1} ms");
    }

    private async Task RunCaseAsync(LinkCase each, Tally tally, CancellationToken cancellation)
    {
        List<Trial> trials = [];
        for (int i = 0; i < repeats; i++)
        {
            await using LinkNetwork network = await LinkNetwork.BuildAsync(each.Link, seed: i + 1, cancellation);
            Trial trial = each.Crowd switch
            {
                LinkCrowd.Alone => await AloneAsync(each, network, cancellation),
                LinkCrowd.TwoSessions => await TwoSessionsAsync(each, network, cancellation),
                LinkCrowd.BesideTcp => await BesideTcpAsync(each, network, cancellation),
                _ => await MtuDropAsync(each, network, cancellation),
            };
            LinkReport[] reports = await network.EndAsync(cancellation);
            trials.Add(trial with { IsEmulatorGood = reports.All(report => report.Overrun == 0 && report.Late <= LateFraction * report.Delivered) });
        }

        Judge(each, trials, tally);
    }

    private void Judge(LinkCase each, List<Trial> trials, Tally tally)
    {
        Trial median = trials.OrderBy(trial => trial.Result).ElementAt(trials.Count / 2);
        bool isStall = each.Crowd == LinkCrowd.MtuDrop;
        bool isPart = each.Crowd is LinkCrowd.TwoSessions or LinkCrowd.BesideTcp;
        bool holds = isStall ? median.Result <= each.Least : median.Result >= each.Least && (!isPart || median.Result <= 1 - each.Least);
        _ = holds ? _barsHeld++ : _barsMissed++;
        string bar = isStall ? $"<= {each.Least:F0} s" : isPart ? $"{each.Least:F2}..{1 - each.Least:F2}" : $">= {each.Least:F2}";
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{each.Name,-16} {each.Shape,-48} {each.Congestion,-5} {median.Carrier,9:F2} {(median.Other > 0 ? $"{median.Other:F2}" : "-"),9} {median.Result,8:F2}  {bar} {(holds ? "holds" : "MISSED")}"));
        bool aboveFloor = isStall ? median.Result <= each.Floor : median.Result >= each.Floor;
        tally.Check(trials.All(trial => trial.IsEqual) && aboveFloor, $"{each.Name}: every byte as sent, and {median.Result:F2} is not beyond {each.Floor:F2}");
        if (!trials.All(trial => trial.IsEmulatorGood))
        {
            Tally.Say($"note: {each.Name}: the machine was too busy for the emulator to be on time; its figures are of that");
        }
    }

    private async Task<Trial> AloneAsync(LinkCase each, LinkNetwork network, CancellationToken cancellation)
    {
        FlowReport[] flows = await CarrierAsync(each, network, 1, time, cancellation);
        await Task.Delay(DrainTime(each.Link), cancellation);
        Goodput tcp = await TcpFlow.RunAsync(network, time, cancellation);
        return new Trial(flows[0].Mbps, tcp.MegabitsPerSecond, flows[0].Mbps / tcp.MegabitsPerSecond, flows[0].IsEqual);
    }

    private async Task<Trial> TwoSessionsAsync(LinkCase each, LinkNetwork network, CancellationToken cancellation)
    {
        FlowReport[] flows = await CarrierAsync(each, network, 2, ShareTimes * time, cancellation);
        return new Trial(flows[0].Mbps, flows[1].Mbps, flows[0].Mbps / (flows[0].Mbps + flows[1].Mbps), flows.All(flow => flow.IsEqual));
    }

    private async Task<Trial> BesideTcpAsync(LinkCase each, LinkNetwork network, CancellationToken cancellation)
    {
        await using CarrierFlow carrier = await CarrierFlow.StartAsync(bench, network, each.Congestion, 1, Limit(ShareTimes * time), cancellation);
        Task<Goodput> beside = TcpFlow.RunAsync(network, ShareTimes * time, cancellation);
        FlowReport[] flows = await carrier.RunAsync((ShareTimes * time) + Patience, cancellation);
        Goodput tcp = await beside;
        return new Trial(flows[0].Mbps, tcp.MegabitsPerSecond, flows[0].Mbps / (flows[0].Mbps + tcp.MegabitsPerSecond), flows[0].IsEqual);
    }

    private async Task<Trial> MtuDropAsync(LinkCase each, LinkNetwork network, CancellationToken cancellation)
    {
        long bytes = time < TimeSpan.FromSeconds(10) ? MtuDropBytes / 5 : MtuDropBytes;
        string[] limit = ["--bytes", bytes.ToString(CultureInfo.InvariantCulture)];
        await using CarrierFlow carrier = await CarrierFlow.StartAsync(bench, network, each.Congestion, 1, limit, cancellation);
        Task<FlowReport[]> running = carrier.RunAsync(TimeSpan.FromMinutes(5), cancellation);
        double seconds = bytes * 8.0 / each.Link.RateBitsPerSecond;
        await Task.Delay(TimeSpan.FromSeconds(seconds / 2), cancellation);
        await network.ChangeAsync(each.Link with { MtuBytes = 1_280 }, cancellation);
        FlowReport flow = (await running)[0];
        return new Trial(flow.Mbps, 0, flow.StallMs / 1_000, flow.IsEqual && flow.Bytes == bytes);
    }

    private static string[] Limit(TimeSpan time) => ["--seconds", time.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture)];

    private async Task<FlowReport[]> CarrierAsync(LinkCase each, LinkNetwork network, int sessions, TimeSpan limit, CancellationToken cancellation)
    {
        await using CarrierFlow carrier = await CarrierFlow.StartAsync(bench, network, each.Congestion, sessions, Limit(limit), cancellation);
        return await carrier.RunAsync(limit + Patience, cancellation);
    }

    /// <summary>What one run left in the queue must not meet the next.</summary>
    private static TimeSpan DrainTime(LinkConditions link) =>
        (2 * (link.Delay + link.Jitter)) + TimeSpan.FromSeconds(2 * MegaByte * 8 / link.RateBitsPerSecond);

    private sealed record Trial(double Carrier, double Other, double Result, bool IsEqual)
    {
        public bool IsEmulatorGood { get; init; }
    }
}
