using System.Globalization;
using Carrier.Benchmarks.Measuring;

namespace Carrier.Benchmarks.Yardsticks;

/// <summary>Measures the yardsticks alone, in interleaved rounds, and prints the medians as one line of JSON.</summary>
internal static class RawCommand
{
    private static readonly string[] SslFigures = ["MBps", "cpu_tx_s_per_GB", "cpu_rx_s_per_GB", "rtt_p50_us", "rtt_p99_us", "hs_per_s", "hs_p50_us"];

    public static async Task RunAsync(BenchOptions options)
    {
        await using PeerPair ssl = await PeerPair.StartAsync("sslstream", []);
        Rounds sslRounds = new();
        Rounds pingRounds = new();
        Rounds gsoRounds = new();
        for (int round = 0; round < options.Rounds; round++)
        {
            sslRounds.Add(await ssl.MeasureAsync(options.Bytes, options.Pings, options.Handshakes));
            pingRounds.Add(await PingAsync(options.Pings));
            gsoRounds.Add(await GsoAsync(options));
        }

        Console.WriteLine(Figures.Write(
        [
            .. SslFigures.Select(name => ($"sslstream_{name}", sslRounds.Median(name))),
            ("udp_rtt_p50_us", pingRounds.Median("rtt_p50_us")),
            ("udp_rtt_p99_us", pingRounds.Median("rtt_p99_us")),
            ("udp_gso_MBps", gsoRounds.Median("MBps")),
            ("udp_gso_cpu_tx_s_per_GB", gsoRounds.Median("cpu_tx_s_per_GB")),
            ("udp_gso_cpu_rx_s_per_GB", gsoRounds.Median("cpu_rx_s_per_GB")),
        ]));
    }

    /// <summary>One round of the bare ping between two processes.</summary>
    public static async Task<Dictionary<string, double?>> PingAsync(int pings)
    {
        await using ChildProcess server = ChildProcess.Start(PeerPair.ServerCore, "yardstick", "udp-echo");
        string port = await server.ReadArgAsync();
        await using ChildProcess client = ChildProcess.Start(
            PeerPair.ClientCore, "yardstick", "udp-ping", port, "--pings", pings.ToString(CultureInfo.InvariantCulture));
        return Figures.Read(await client.ReadLineAsync());
    }

    /// <summary>One round of what no transport can go below: the kernel moving the datagrams, and the cipher over them; processor seconds a GB and side.</summary>
    public static async Task<Dictionary<string, double?>> FloorAsync(BenchOptions options)
    {
        Dictionary<string, double?> figures = await GsoAsync(options);
        await using ChildProcess cipher = ChildProcess.Start(PeerPair.ClientCore, ["yardstick", "cipher", .. options.TransportOptions]);
        Dictionary<string, double?> ciphers = Figures.Read(await cipher.ReadLineAsync());
        figures["cpu_tx_s_per_GB"] += ciphers["cpu_tx_s_per_GB"];
        figures["cpu_rx_s_per_GB"] += ciphers["cpu_rx_s_per_GB"];
        return figures;
    }

    private static async Task<Dictionary<string, double?>> GsoAsync(BenchOptions options)
    {
        await using ChildProcess sink = ChildProcess.Start(PeerPair.ServerCore, ["yardstick", "gso-sink", .. options.TransportOptions]);
        string port = await sink.ReadArgAsync();
        string bytes = options.Bytes.ToString(CultureInfo.InvariantCulture);
        await using ChildProcess sender = ChildProcess.Start(
            PeerPair.ClientCore, ["yardstick", "gso-send", port, "--bytes", bytes, .. options.TransportOptions]);
        Dictionary<string, double?> figures = Figures.Read(await sender.ReadLineAsync());
        figures["cpu_rx_s_per_GB"] = Figures.Read(await sink.ReadLineAsync())["cpu_rx_s_per_GB"];
        return figures;
    }
}
