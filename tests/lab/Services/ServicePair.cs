using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Services;

/// <summary>Two agents, the field's servers beside one of them and the field's clients beside the other; nothing joins them but a TrustID.</summary>
internal sealed class ServicePair(LabNetwork network, CarrierCommands commands, SiteNode from, SiteNode to, FieldTools tools, Tally tally)
{
    private const int LocalSsh = 3022;
    private const int LocalWeb = 3080;
    private const int LocalFolder = 3081;
    private const int LocalSocks = 1080;
    private const int LocalIperf = 5301;
    private const int Connections = 500;
    private const double MaxUdpLossPercent = 5;
    private const int IperfTries = 4;

    private static readonly TimeSpan CommandDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan IperfPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan CopyDeadline = TimeSpan.FromMinutes(10);

    private string Name => $"{from.Site} -> {to.Site}";

    /// <summary>Publishes at one end and forwards at the other.</summary>
    public async Task OpenAsync(CancellationToken cancellation)
    {
        await File.WriteAllTextAsync(Path.Combine(tools.WebRoot, "page"), $"page of {to.Site}\n", cancellation);
        await Task.WhenAll(
            MustAsync(to, CarrierCommands.Serve(to.Folder, "web", Loopback(FieldTools.WebPort)), cancellation),
            MustAsync(to, CarrierCommands.Serve(to.Folder, "iperf", Loopback(FieldTools.IperfPort)), cancellation),
            MustAsync(to, CarrierCommands.Serve(to.Folder, "iperf-udp", Loopback(FieldTools.IperfPort), udp: true), cancellation),
            MustAsync(to, CarrierCommands.ServeFolder(to.Folder, "folder", tools.WebRoot), cancellation),
            MustAsync(from, CarrierCommands.Forward(from.Folder, LocalWeb, to.TrustId, "web"), cancellation),
            MustAsync(from, CarrierCommands.Forward(from.Folder, LocalFolder, to.TrustId, "folder"), cancellation),
            MustAsync(from, CarrierCommands.Forward(from.Folder, LocalIperf, to.TrustId, "iperf"), cancellation),
            MustAsync(from, CarrierCommands.Forward(from.Folder, LocalIperf, to.TrustId, "iperf-udp", udp: true), cancellation),
            MustAsync(from, CarrierCommands.Socks(from.Folder, LocalSocks), cancellation));
    }

    /// <summary>As <see cref="OpenAsync"/>, for ssh alone.</summary>
    public Task OpenSshAsync(CancellationToken cancellation) => Task.WhenAll(
        MustAsync(to, CarrierCommands.Serve(to.Folder, "ssh", Loopback(FieldTools.SshPort)), cancellation),
        MustAsync(from, CarrierCommands.Forward(from.Folder, LocalSsh, to.TrustId, "ssh"), cancellation));

    public async Task SshAsync(CancellationToken cancellation)
    {
        ToolResult forwarded = await RunAsync("ssh", [.. tools.SshOptions, "-p", Text(LocalSsh), "root@127.0.0.1", "echo", "through", "forward"], cancellation);
        Check(forwarded.Output.Trim() == "through forward", "ssh through forward", forwarded);
        string proxy = $"ProxyCommand={commands.Carrier} {string.Join(' ', CarrierCommands.Pipe(from.Folder, "%h", "ssh"))}";
        ToolResult piped = await RunAsync("ssh", [.. tools.SshOptions, "-o", proxy, $"root@{to.TrustId}", "echo", "through", "pipe"], cancellation);
        Check(piped.Output.Trim() == "through pipe", "ssh through pipe", piped);
    }

    /// <summary>Copies a file by scp and compares hashes; gives the rate in MB/s, 0 when it failed.</summary>
    public async Task<double> ScpAsync(long bytes, CancellationToken cancellation)
    {
        string source = Path.Combine(tools.Folder, "source.bin");
        string copy = Path.Combine(tools.Folder, "copy.bin");
        await WriteRandomAsync(source, bytes, cancellation);
        (double rate, ToolResult copied) = await CopyAsync(LocalSsh, source, copy, bytes, cancellation);
        bool equal = copied.Succeeded && await HashAsync(source, cancellation) == await HashAsync(copy, cancellation);
        Check(equal, Invariant($"scp of {bytes >> 20} MiB through forward, hash equal, {rate:F1} MB/s"), copied);
        return equal ? rate : 0;
    }

    /// <summary>scp over plain loopback TCP beside scp through a forward, in turns; the ratio of the medians. Both ends must be on one site.</summary>
    public async Task CompareScpAsync(long bytes, int rounds, CancellationToken cancellation)
    {
        string source = Path.Combine(tools.Folder, "source.bin");
        string copy = Path.Combine(tools.Folder, "copy.bin");
        await WriteRandomAsync(source, bytes, cancellation);
        string hash = await HashAsync(source, cancellation);
        var plain = new List<double>();
        var forwarded = new List<double>();
        bool equal = true;
        for (int round = 0; round < rounds && equal; round++)
        {
            plain.Add((await CopyAsync(FieldTools.SshPort, source, copy, bytes, cancellation)).Rate);
            File.Delete(copy);
            (double rate, ToolResult copied) = await CopyAsync(LocalSsh, source, copy, bytes, cancellation);
            forwarded.Add(rate);
            equal = copied.Succeeded && await HashAsync(copy, cancellation) == hash;
        }

        double ratio = PairSummary.Percentile([.. forwarded.Order()], 0.5) / PairSummary.Percentile([.. plain.Order()], 0.5);
        // The rate is said, not judged: on a machine that others share it says as much of them as of us.
        tally.Check(equal, Invariant($"scp on loopback, {rounds} rounds of {bytes >> 20} MiB, hashes equal: plain {List(plain)}, through forward {List(forwarded)} MB/s: {ratio:F2}x"));
    }

    public async Task IperfAsync(CancellationToken cancellation)
    {
        ToolResult tcp = await RunIperfAsync(["-c", "127.0.0.1", "-p", Text(LocalIperf), "-t", "2", "-P", "2", "-J"], cancellation);
        double received = Read(tcp, "sum_received", "bits_per_second") / 1e6;
        Check(tcp.Succeeded && received > 0, Invariant($"iperf3 TCP through forward: {received:F1} Mbit/s"), tcp);
        ToolResult back = await RunIperfAsync(["-c", "127.0.0.1", "-p", Text(LocalIperf), "-t", "2", "-R", "-J"], cancellation);
        received = Read(back, "sum_received", "bits_per_second") / 1e6;
        Check(back.Succeeded && received > 0, Invariant($"iperf3 TCP the other way: {received:F1} Mbit/s"), back);
        ToolResult udp = await RunIperfAsync(["-u", "-b", "4M", "-l", "1000", "-c", "127.0.0.1", "-p", Text(LocalIperf), "-t", "2", "-J"], cancellation);
        double loss = Read(udp, "sum", "lost_percent");
        Check(udp.Succeeded && loss <= MaxUdpLossPercent, Invariant($"iperf3 UDP at 4 Mbit/s through forward: {loss:F2} % lost"), udp);
    }

    public async Task WebAsync(CancellationToken cancellation)
    {
        string page = $"page of {to.Site}\n";
        ToolResult forwarded = await RunAsync("curl", ["-sS", "-m", "20", $"http://127.0.0.1:{LocalWeb}/page"], cancellation);
        Check(forwarded.Output == page, "curl against nginx through forward", forwarded);
        ToolResult socks = await RunAsync(
            "curl", ["-sS", "-m", "20", "--socks5-hostname", $"127.0.0.1:{LocalSocks}", $"http://web.{to.TrustId}.carrier/page"], cancellation);
        Check(socks.Output == page, "curl against nginx through socks", socks);
        ToolResult folder = await RunAsync("curl", ["-sS", "-m", "20", "-r", "5-6", $"http://127.0.0.1:{LocalFolder}/page"], cancellation);
        Check(folder.Output == "of", "curl a range of a served folder", folder);
        long begun = Stopwatch.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(CommandDeadline);
        int whole = await LoopbackSockets.GetAsync(network.HostOf(from.Site), LocalWeb, "/page", page, Connections, limit.Token);
        tally.Check(whole == Connections, Invariant(
            $"{Name}: {whole} of {Connections} HTTP connections at once through one forward, {Stopwatch.GetElapsedTime(begun).TotalSeconds:F1} s"));
    }

    // Its server takes one test at a time and is a moment behind its clients: who comes too early is reset.
    private async Task<ToolResult> RunIperfAsync(string[] arguments, CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            ToolResult result = await RunAsync("iperf3", arguments, cancellation);
            if (attempt == IperfTries || !result.Output.Contains("\"error\":", StringComparison.Ordinal))
            {
                return result;
            }

            await Task.Delay(IperfPause, cancellation);
        }
    }

    private static double Read(ToolResult iperf, string sum, string value)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(iperf.Output).GetProperty("end").GetProperty(sum).GetProperty(value).GetDouble();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return double.NaN;
        }
    }

    private static string Loopback(int port) => $"127.0.0.1:{Text(port)}";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string List(IEnumerable<double> rates) => string.Join(" ", rates.Select(rate => Invariant($"{rate:F0}")));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static async Task WriteRandomAsync(string path, long bytes, CancellationToken cancellation)
    {
        byte[] block = new byte[1 << 20];
        await using FileStream file = File.Create(path);
        for (long left = bytes; left > 0; left -= block.Length)
        {
            RandomNumberGenerator.Fill(block);
            await file.WriteAsync(block.AsMemory(0, (int)Math.Min(left, block.Length)), cancellation);
        }
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancellation)
    {
        await using FileStream file = File.OpenRead(path);
        return Convert.ToHexString(await SHA256.HashDataAsync(file, cancellation));
    }

    private async Task<(double Rate, ToolResult Result)> CopyAsync(int port, string source, string copy, long bytes, CancellationToken cancellation)
    {
        long begun = Stopwatch.GetTimestamp();
        ToolResult result = await RunAsync("scp", [.. tools.SshOptions, "-P", Text(port), source, $"root@127.0.0.1:{copy}"], cancellation);
        return (bytes / 1e6 / Stopwatch.GetElapsedTime(begun).TotalSeconds, result);
    }

    private Task<ToolResult> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellation) => Tool.RunAsync(
        "ip", ["netns", "exec", network.HostOf(from.Site), program, .. arguments],
        deadline: program == "scp" ? CopyDeadline : CommandDeadline, cancellation: cancellation);

    private static async Task MustAsync(SiteNode node, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        ToolResult result = await node.RunAsync(arguments, CommandDeadline, cancellation);
        if (!result.Succeeded)
        {
            throw new LabException($"carrier {string.Join(' ', arguments)} at {node.Site} failed ({result.ExitCode}): {result.Output} {result.Error}");
        }
    }

    private void Check(bool holds, string what, ToolResult result) =>
        tally.Check(holds, holds ? $"{Name}: {what}" : $"{Name}: {what}: exit {result.ExitCode} {result.Output.Trim()} {result.Error.Trim()}");
}
