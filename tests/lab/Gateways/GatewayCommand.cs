using System.Diagnostics;
using System.Security.Cryptography;
using Carrier.Lab.Matrix;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Gateways;

/// <summary><c>carrier-lab gateway</c>: a router that maps ports, by each protocol in turn, makes two symmetric homes meet directly.</summary>
internal sealed class GatewayCommand(CarrierCommands commands)
{
    private const int FileBytes = 2 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Two attempts of three seconds with the rest between, and what starting a process on a busy machine costs.</summary>
    private static readonly TimeSpan MappingPatience = TimeSpan.FromSeconds(15);

    public async Task RunAsync(Tally tally, CancellationToken cancellation)
    {
        if (Miniupnpd.Path is null)
        {
            tally.Skip("port mapping against a real miniupnpd", Miniupnpd.HowToGet);
            return;
        }

        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine("artifacts/lab", $"gateway-{Environment.ProcessId}"))).FullName;
        await using GatewayNetwork network = await GatewayNetwork.BuildAsync(cancellation);
        await using LabProcess seed = LabProcess.Start(
            network.Seed,
            commands.Seed,
            ["--listen", "0.0.0.0:4242", "--advertise", $"{GatewayNetwork.SeedAddress}:4242", "--state", Path.Combine(artifacts, "seed"), "--http", "none"],
            Path.Combine(artifacts, "seed.txt"));
        string contact = CarrierCommands.ContactOf(await seed.WaitForLineAsync(CarrierCommands.ReadyLine, Patience, cancellation));
        string plain = Path.Combine(artifacts, "plain"), mapped = Path.Combine(artifacts, "mapped");
        _ = await InitAsync(network.Plain, plain, cancellation);
        string trustId = await InitAsync(network.Mapped, mapped, cancellation);
        await using LabProcess dialler = await UpAsync(network.Plain, plain, contact, cancellation);

        await network.Mapped.LoadRulesAsync("", cancellation);
        await TryProtocolAsync("PCP", true, false, lives: true);
        await network.Mapped.LoadRulesAsync(GatewayHome.WithoutPcp, cancellation);
        await TryProtocolAsync("NAT-PMP", true, false, lives: false);
        await network.Mapped.LoadRulesAsync("", cancellation);
        await TryProtocolAsync("UPnP", false, true, lives: false);
        if (tally.ExitCode == Tally.ExitPassed)
        {
            Directory.Delete(artifacts, recursive: true);
        }

        async Task TryProtocolAsync(string name, bool pcp, bool upnp, bool lives)
        {
            string folder = Directory.CreateDirectory(Path.Combine(artifacts, name)).FullName;
            LabProcess daemon = Miniupnpd.Start(network.Mapped, pcp, upnp, folder);
            bool isMapped;
            try
            {
                LabProcess agent = await UpAsync(network.Mapped, mapped, contact, cancellation);
                await using (agent)
                {
                    isMapped = await network.Mapped.WaitAsync(true, MappingPatience, cancellation);
                    tally.Check(isMapped, $"{name}: the router forwards a port to the home");
                    await SendAsync(name, plain, trustId);
                    if (lives && isMapped)
                    {
                        daemon = await LiveAsync(name, daemon, () => Miniupnpd.Start(network.Mapped, pcp, upnp, folder));
                    }
                }

                tally.Check(isMapped && await network.Mapped.WaitAsync(false, TimeSpan.FromSeconds(1), cancellation), $"{name}: the mapping was deleted when the agent ended");
            }
            finally
            {
                await daemon.DisposeAsync();
            }
        }

        async Task<LabProcess> LiveAsync(string name, LabProcess daemon, Func<LabProcess> restart)
        {
            await Task.Delay(Miniupnpd.PcpLifetime + TimeSpan.FromSeconds(2), cancellation);
            tally.Check(await network.Mapped.IsMappedAsync(cancellation), $"{name}: the mapping outlived its {Miniupnpd.PcpLifetime.TotalSeconds:F0} s, so it was renewed");
            await daemon.DisposeAsync();
            await network.Mapped.LoadRulesAsync("", cancellation); // a router that restarts has none of its old rules
            LabProcess next = restart();
            long begun = Stopwatch.GetTimestamp();
            bool isBack = await network.Mapped.WaitAsync(true, Miniupnpd.PcpLifetime, cancellation);
            tally.Check(isBack, $"{name}: mapped anew {Stopwatch.GetElapsedTime(begun).TotalSeconds:F1} s after the daemon restarted");
            return next;
        }

        async Task SendAsync(string name, string from, string to)
        {
            string file = Path.Combine(artifacts, "file.bin");
            byte[] content = RandomNumberGenerator.GetBytes(FileBytes);
            await File.WriteAllBytesAsync(file, content, cancellation);
            _ = await network.TakeCountersAsync(cancellation);
            ToolResult sent = await Tool.RunAsync(
                "ip", ["netns", "exec", network.Plain.Host, commands.Carrier, .. CarrierCommands.Send(from, file, to)], deadline: Patience, cancellation: cancellation);
            (long direct, long relayed) = await network.TakeCountersAsync(cancellation);
            SendReport? report = sent.Succeeded ? CarrierCommands.SendReportOf(sent.Output) : null;
            bool isWhole = string.Equals(report?.Sha256, Convert.ToHexString(SHA256.HashData(content)), StringComparison.OrdinalIgnoreCase);
            tally.Check(
                isWhole && report!.Path == "direct" && direct > relayed,
                $"{name}: symmetric to symmetric with a mapped port: {report?.Path ?? sent.Error.Trim()}, first byte {report?.FirstByteMs:F0} ms, core carried {direct:N0} bytes directly, {relayed:N0} by the seed");
        }
    }

    private async Task<string> InitAsync(GatewayHome home, string folder, CancellationToken cancellation)
    {
        Directory.CreateDirectory(CarrierCommands.InboxOf(folder));
        return CarrierCommands.TrustIdOf(
            await Tool.MustRunAsync("ip", ["netns", "exec", home.Host, commands.Carrier, .. CarrierCommands.Init(folder)], cancellation: cancellation));
    }

    private async Task<LabProcess> UpAsync(GatewayHome home, string folder, string contact, CancellationToken cancellation)
    {
        LabProcess agent = LabProcess.Start(
            home.Host, commands.Carrier, [.. CarrierCommands.Up(folder, [contact]), "--dir", CarrierCommands.InboxOf(folder), "--verbose"], Path.Combine(folder, "log.txt"));
        await agent.WaitForLineAsync(CarrierCommands.ReadyLine, Patience, cancellation);
        return agent;
    }
}
