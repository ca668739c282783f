using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Yardsticks;

namespace Carrier.Benchmarks;

/// <summary>Measures a transport against SslStream, a bare UDP ping and the floor of kernel and cipher, round by round in turn, and prints the medians as one line of JSON.</summary>
internal static class SessionCommand
{
    public static async Task RunAsync(BenchOptions options)
    {
        await using PeerPair subject = await PeerPair.StartAsync(options.Transport, options.TransportOptions);
        await using PeerPair ssl = await PeerPair.StartAsync("sslstream", []);
        Rounds subjectRounds = new();
        Rounds sslRounds = new();
        Rounds pingRounds = new();
        Rounds floorRounds = new();
        for (int round = 0; round < options.Rounds; round++)
        {
            subjectRounds.Add(await subject.MeasureAsync(options.Bytes, options.Pings, options.Handshakes));
            sslRounds.Add(await ssl.MeasureAsync(options.Bytes, pings: 0, handshakes: 0));
            pingRounds.Add(await RawCommand.PingAsync(options.Pings));
            floorRounds.Add(await RawCommand.FloorAsync(options));
        }

        Console.WriteLine(Figures.Write(
            ("MBps", subjectRounds.Median("MBps")),
            ("ratio_to_sslstream", subjectRounds.MedianRatio("MBps", sslRounds)),
            ("cpu_tx_s_per_GB", subjectRounds.Median("cpu_tx_s_per_GB")),
            ("cpu_rx_s_per_GB", subjectRounds.Median("cpu_rx_s_per_GB")),
            ("floor_ratio_tx", floorRounds.MedianRatio("cpu_tx_s_per_GB", subjectRounds)),
            ("floor_ratio_rx", floorRounds.MedianRatio("cpu_rx_s_per_GB", subjectRounds)),
            ("rtt_p50_us", subjectRounds.Median("rtt_p50_us")),
            ("rtt_p99_us", subjectRounds.Median("rtt_p99_us")),
            ("rtt_ratio_to_raw_udp", subjectRounds.MedianRatio("rtt_p50_us", pingRounds)),
            ("stream_rtt_p50_us", subjectRounds.Median("stream_rtt_p50_us")),
            ("udp_rtt_p50_us", pingRounds.Median("rtt_p50_us")),
            ("hs_per_s", subjectRounds.Median("hs_per_s")),
            ("alloc_bytes_per_packet", subjectRounds.Median("alloc_bytes_per_packet")),
            ("gc", subjectRounds.Median("gc"))));
    }
}
