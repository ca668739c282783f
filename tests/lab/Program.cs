using System.Diagnostics;
using System.Runtime.InteropServices;
using Carrier.Lab.Beside;
using Carrier.Lab.Blocked;
using Carrier.Lab.Delay;
using Carrier.Lab.Dials;
using Carrier.Lab.Gateways;
using Carrier.Lab.Idle;
using Carrier.Lab.Links;
using Carrier.Lab.Living;
using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Probe;
using Carrier.Lab.Services;
using Carrier.Lab.Tools;
using Carrier.Lab.Translation;

namespace Carrier.Lab;

internal static class Program
{
    private const string Usage = """
        carrier-lab: a small internet of network namespaces, real NATs included. See tests/lab/README.md.

          verify                      hold the lab itself to its word: NATs, delay, throughput, plain hole punching
          matrix                      carrier between every ordered pair of NAT kinds
          services                    ssh, scp, iperf3, nginx and curl through carrier serve, forward, pipe and socks
          pair A B                    one pair: kinds (port-restricted) or sites (port-restricted-a)
          gateway                     port mapping against a real miniupnpd: PCP, NAT-PMP and UPnP in turn
          blocked                     networks without UDP, or with TCP port 443 alone
          living                      rebinding, moves, change of address family, relay death, suspend, link loss and relay-to-direct in the middle of a stream
          dials A B                   how long fresh dials of one pair take: percentiles
          crowd                       many hosts dial one symmetric host at once
          idle                        what an agent costs that nobody talks to: wire, processor, memory, mappings
          hyperdht                    HyperDHT from npm between the same sites; needs node and npm, which installs it
          exec SITE -- COMMAND...     run a command on a site of a kept lab (SITE-nat: on its router; core)
          clean                       remove what dead and kept labs left
          links                       Carrier and the kernel's TCP CUBIC over emulated links, as a table of goodputs and bars
          delay --device tun0         the link emulator (the lab starts it)
          translate NAT...            the userspace NATs (the lab starts them)
          probe-server, probe         the NAT probe by hand

        matrix, pair:
          --repeats 1 --bytes 2097152 --carrier PATH --seed PATH --artifacts artifacts/lab
          --json                      one JSON object on standard output, everything else on standard error
          --fresh                     restart both nodes before every dial, not only between rounds
        links:
          --case NAME --seconds 20 --repeats 3 --bench PATH
          --short                     a few cases, one short run each
        living:
          --case upgrade,rebind,move,family,family-relayed,relay,suspend,unplug --repeats N --short
        dials, crowd, idle, blocked:
          --repeats 100 --bar-ms 500; --clients 5; --seconds 120; --repeats 1
        hyperdht:
          --beside                    carrier dials each pair too, right before it
          --no-relay                  without the relays that HyperDHT knows only by an option of its own
          --case rebind               what a router's new mapping does to its streams; --repeats 20
          --case crowd                many of it dial one symmetric host at once; --clients 5
        services:
          --bytes 33554432            what scp copies; --carrier, --seed, --artifacts as above
        verify, matrix, pair, hyperdht, services:
          --keep                      leave the lab standing
          --kinds A,B,C               these kinds of site; --all: every kind; else one of each family (a pair: its own two)
          --delay-ms 20 --jitter-ms 0 --loss-percent 0 --rate-mbit 0     the link between sites, one way
        """;

    private static async Task<int> Main(string[] args)
    {
        using var stop = new CancellationTokenSource();
        try
        {
            var arguments = Arguments.Parse(args);
            if (arguments.Verb is "delay" or "link")
            {
                return arguments.Verb == "delay" ? DelayCommand.Run(arguments) : LinkCommand.Run(arguments);
            }

            if (arguments.Verb == "translate")
            {
                return TranslateCommand.Run(arguments);
            }

            using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
            using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
            return await RunAsync(arguments, stop.Token);
        }
        catch (LabException e)
        {
            Tally.Say($"carrier-lab: {e.Message}");
            return Tally.ExitFailed;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Tally.Say("carrier-lab: interrupted; everything was removed");
            return 130;
        }

        void Cancel(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    private static async Task<int> RunAsync(Arguments arguments, CancellationToken cancellation)
    {
        switch (arguments.Verb)
        {
            case "verify":
                return await InLabAsync(arguments, VerifyCommand.RunAsync, cancellation);
            case "matrix" when arguments.Words.Count == 0:
            case "pair" when arguments.Words.Count == 2:
                return await WithCarrierAsync(arguments, commands => new MatrixCommand(arguments, commands).RunAsync, cancellation);
            case "gateway":
                return await GatewayAsync(arguments, cancellation);
            case "blocked":
                return await WithCarrierAsync(arguments, commands => new BlockedCommand(arguments, commands).RunAsync, cancellation);
            case "living":
                return await WithCarrierAsync(arguments, commands => new LivingCommand(arguments, commands).RunAsync, cancellation, LivingCommand.Missing);
            case "dials" when arguments.Words.Count == 2:
                return await WithCarrierAsync(arguments, commands => new DialsCommand(arguments, commands).RunAsync, cancellation);
            case "crowd":
                return await WithCarrierAsync(arguments, commands => new CrowdCommand(arguments, commands).RunAsync, cancellation);
            case "idle":
                return await WithCarrierAsync(arguments, commands => new IdleCommand(arguments, commands).RunAsync, cancellation, IdleCommand.Missing);
            case "hyperdht":
                return await HyperDhtAsync(arguments, cancellation);
            case "links":
                return await LinksAsync(arguments, cancellation);
            case "services":
                return await WithCarrierAsync(arguments, commands => new ServicesCommand(arguments, commands).RunAsync, cancellation, ServicesCommand.Missing);
            case "exec":
                return await ExecAsync(arguments, cancellation);
            case "clean":
                IReadOnlyList<LabRun> buried = await Undertaker.BuryTheDeadAsync(cancellation, keptToo: true);
                Console.WriteLine($"removed {buried.Count} labs");
                return Tally.ExitPassed;
            case "probe-server":
                return await ProbeCommands.ServeAsync(arguments, cancellation);
            case "probe":
                return await ProbeCommands.ProbeAsync(arguments, cancellation);
            default:
                Console.WriteLine(Usage);
                return arguments.Verb is "help" or "--help" ? Tally.ExitPassed : Tally.ExitUsage;
        }
    }

    private static async Task<int> WithCarrierAsync(
        Arguments arguments, Func<CarrierCommands, Func<LabNetwork, LinkShape, Tally, CancellationToken, Task>> command, CancellationToken cancellation, string missing = "")
    {
        if (missing.Length == 0 && CarrierCommands.Find(arguments, out missing) is { } commands)
        {
            return await InLabAsync(arguments, command(commands), cancellation);
        }

        var tally = new Tally();
        tally.Skip(arguments.Verb, missing);
        return Conclude(arguments, tally);
    }

    private static async Task<int> HyperDhtAsync(Arguments arguments, CancellationToken cancellation)
    {
        (string? script, string missing) = await HyperDhtPackage.InstallAsync(cancellation);
        if (script is null)
        {
            var tally = new Tally();
            tally.Skip(arguments.Verb, missing);
            return Conclude(arguments, tally);
        }

        return arguments.Has("--beside")
            ? await WithCarrierAsync(arguments, commands => new HyperDhtCommand(arguments, script, commands).RunAsync, cancellation)
            : await InLabAsync(arguments, new HyperDhtCommand(arguments, script, commands: null).RunAsync, cancellation);
    }

    private static async Task<int> LinksAsync(Arguments arguments, CancellationToken cancellation)
    {
        var tally = new Tally();
        KernelFeatures kernel = await KernelFeatures.ProbeAsync(cancellation);
        foreach (string missing in kernel.Missing)
        {
            tally.Skip("the links need", missing);
        }

        if (kernel.Missing.Count == 0)
        {
            await LinksCommand.RunAsync(arguments, tally, cancellation);
        }

        return Conclude(arguments, tally);
    }

    private static async Task<int> GatewayAsync(Arguments arguments, CancellationToken cancellation)
    {
        var tally = new Tally();
        KernelFeatures kernel = await KernelFeatures.ProbeAsync(cancellation);
        string missing = string.Join("; ", kernel.Missing);
        if (missing.Length == 0 && CarrierCommands.Find(arguments, out missing) is { } commands)
        {
            await new GatewayCommand(commands).RunAsync(tally, cancellation);
        }
        else
        {
            tally.Skip(arguments.Verb, missing);
        }

        return Conclude(arguments, tally);
    }

    /// <summary>Builds a lab, runs a command in it, takes it down and says how many checks held.</summary>
    private static async Task<int> InLabAsync(
        Arguments arguments, Func<LabNetwork, LinkShape, Tally, CancellationToken, Task> command, CancellationToken cancellation)
    {
        var tally = new Tally();
        KernelFeatures kernel = await KernelFeatures.ProbeAsync(cancellation);
        foreach (string missing in kernel.Missing)
        {
            tally.Skip("the lab needs", missing);
        }

        foreach ((NatKind kind, string reason) in kernel.MissingNats)
        {
            tally.Skip($"NAT kind {kind}, and every pair with it", reason);
        }

        if (kernel.Missing.Count == 0)
        {
            var shape = LinkShape.From(arguments);
            long begun = Stopwatch.GetTimestamp();
            bool keep = arguments.Has("--keep");
            await using LabNetwork network = await LabNetwork.BuildAsync(Topology.Of(KindsFor(arguments).Where(kernel.CanMake), CrowdFor(arguments)), shape, keep, cancellation);
            Tally.Say($"lab {network.Prefix} stands after {Stopwatch.GetElapsedTime(begun).TotalSeconds:F1} s: "
                + $"{network.Topology.Seeds.Count} seeds, {network.Topology.Sites.Count} sites");
            await command(network, shape, tally, cancellation);
            if (keep)
            {
                Tally.Say($"kept: carrier-lab exec {network.Topology.Sites[0]} -- ip addr; remove it by carrier-lab clean");
            }
        }

        return Conclude(arguments, tally);
    }

    private static IEnumerable<SiteKind> KindsFor(Arguments arguments)
    {
        if (arguments.Text("--kinds") is { } listed)
        {
            return listed.Split(',').Select(name => SiteKinds.Parse(name) ?? throw new LabException(
                $"no kind '{name}'; there are: {string.Join(", ", SiteKinds.All.Select(kind => kind.Name()))}"));
        }

        SiteKind[] named = [.. SiteKinds.All.Where(kind => arguments.Words.Any(word => word == kind.Name() || word == $"{kind.Name()}-a" || word == $"{kind.Name()}-b"))];
        return arguments.Verb switch
        {
            "blocked" => BlockedCommand.Kinds,
            "living" => LivingCommand.Kinds,
            "idle" => IdleCommand.Kinds,
            "crowd" => [SiteKind.Symmetric],
            "hyperdht" => HyperDhtCommand.KindsOf(arguments),
            "pair" or "dials" when named.Length > 0 => named,
            _ => arguments.Has("--all") ? SiteKinds.All : SiteKinds.Usual,
        };
    }

    private static int CrowdFor(Arguments arguments) => arguments.Verb == "crowd" || (arguments.Verb == "hyperdht" && HyperDhtCases.HasCrowd(arguments)) ? CrowdCommand.DiallersOf(arguments) : 0;

    private static int Conclude(Arguments arguments, Tally tally)
    {
        (arguments.Has("--json") ? Console.Error : Console.Out).WriteLine(tally);
        return tally.ExitCode;
    }

    private static async Task<int> ExecAsync(Arguments arguments, CancellationToken cancellation)
    {
        if (arguments.Words is not [var site] || arguments.Rest.Count == 0)
        {
            throw new LabException("exec SITE -- COMMAND...");
        }

        IReadOnlyList<LabRun> runs = await LabRun.ListAsync(cancellation);
        string prefix = arguments.Text("--run") ?? (runs.Count > 0 ? runs[^1].Prefix : throw new LabException("no lab stands; start one with --keep"));
        using Process process = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", $"{prefix}-{site}", .. arguments.Rest]))
            ?? throw new LabException("cannot start ip");
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }
}
