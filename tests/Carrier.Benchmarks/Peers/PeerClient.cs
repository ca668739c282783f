using System.Diagnostics;
using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Peers;

/// <summary>The asking side of a measurement: one stream's throughput, small round trips, handshakes one after another.</summary>
internal static class PeerClient
{
    private const int PingBytes = 64;

    /// <summary>Enough for the just-in-time compiler to settle on both sides, and for buffers to have grown with the window, before anything counts.</summary>
    private const long WarmUpBytes = 6L << 30;

    /// <summary>The warm-up of a small run, in its own length.</summary>
    private const int WarmUpRuns = 6;

    public static async Task RunAsync(BenchOptions options)
    {
        await using TransportUnderTest transport = TransportUnderTest.Create(options);
        string arg = options.Arguments[0];

        Transfer transfer = await TransferAsync(transport, arg, options.Bytes);
        _ = await PingAsync(transport, arg, Math.Min(options.Pings, 1_000));
        List<double> pings = await PingAsync(transport, arg, options.Pings);
        List<double> openings = await OpenAsync(transport, arg, Math.Min(options.Pings, 2_000));
        _ = await HandshakeAsync(transport, arg, Math.Min(options.Handshakes, 20));
        List<double> handshakes = await HandshakeAsync(transport, arg, options.Handshakes);

        double gigabytes = options.Bytes / 1e9;
        List<(string, double?)> figures =
        [
            ("MBps", Samples.Ratio(options.Bytes / 1e6, transfer.Seconds)),
            ("cpu_tx_s_per_GB", Samples.Ratio(transfer.CpuSeconds, gigabytes)),
            ("cpu_rx_s_per_GB", Samples.Ratio(transfer.ServerCpuSeconds, gigabytes)),
            ("rtt_p50_us", Samples.Percentile(pings, 0.50)),
            ("rtt_p99_us", Samples.Percentile(pings, 0.99)),
            ("stream_rtt_p50_us", openings.Count == 0 ? null : Samples.Percentile(openings, 0.50)),
            ("hs_per_s", Samples.Ratio(handshakes.Count, handshakes.Sum() / 1e6)),
            ("hs_p50_us", Samples.Percentile(handshakes, 0.50)),
        ];
        if (options.Details)
        {
            figures.Add(("alloc_bytes_per_packet", transfer.Packets == 0 ? null : (double)transfer.AllocatedBytes / transfer.Packets));
            figures.Add(("gc", transfer.Collections));
        }

        Console.WriteLine(Figures.Write([.. figures]));
    }

    private static async Task<Transfer> TransferAsync(TransportUnderTest transport, string arg, long bytes)
    {
        await using Stream stream = await transport.ConnectAsync(arg);
        byte[] chunk = new byte[BenchProtocol.ChunkBytes];
        _ = await SendAsync(stream, chunk, Math.Min(WarmUpBytes, WarmUpRuns * bytes));
        long packets = transport.Packets;
        int collections = GC.CollectionCount(0);
        double cpu = CpuClock.Seconds;
        long start = Stopwatch.GetTimestamp();

        (double serverCpu, long allocated) = await SendAsync(stream, chunk, bytes);
        return new Transfer(
            Stopwatch.GetElapsedTime(start).TotalSeconds,
            CpuClock.Seconds - cpu,
            serverCpu,
            allocated,
            transport.Packets - packets,
            GC.CollectionCount(0) - collections);
    }

    /// <summary>
    /// Sends so many bytes; returns the server's processor time for them, and with it, that all has arrived, and the bytes that all of this process allocated
    /// from the first write's end to the last's: what asks for them and reads the answer is the benchmark's own.
    /// </summary>
    private static async Task<(double ServerCpuSeconds, long AllocatedBytes)> SendAsync(Stream stream, ReadOnlyMemory<byte> chunk, long bytes)
    {
        await BenchProtocol.WriteSinkAsync(stream, bytes);
        long allocatedBefore = 0;
        for (long left = bytes; left > 0; left -= chunk.Length)
        {
            await stream.WriteAsync(chunk[..(int)Math.Min(chunk.Length, left)]);
            if (left == bytes)
            {
                allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
            }
        }

        long allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        await stream.FlushAsync();
        return (await BenchProtocol.ReadCpuSecondsAsync(stream), allocated);
    }

    /// <summary>Opens a stream on a connection that has one and has a small message echoed, again and again; microseconds from the opening to the echo.</summary>
    private static async Task<List<double>> OpenAsync(TransportUnderTest transport, string arg, int count)
    {
        await using Stream first = await transport.ConnectAsync(arg);
        byte[] message = new byte[PingBytes];
        List<double> times = new(count);
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await using Stream? stream = await transport.OpenAsync(first);
            if (stream is null)
            {
                break;
            }

            await BenchProtocol.WriteEchoOfAsync(stream, message);
            await stream.ReadExactlyAsync(message);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }

        return times;
    }

    /// <summary>Sends a small message and waits for its echo, again and again; microseconds each.</summary>
    private static async Task<List<double>> PingAsync(TransportUnderTest transport, string arg, int count)
    {
        await using Stream stream = await transport.ConnectAsync(arg);
        await BenchProtocol.WriteEchoAsync(stream, PingBytes);
        byte[] message = new byte[PingBytes];
        List<double> times = new(count);
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await stream.WriteAsync(message);
            await stream.FlushAsync();
            await stream.ReadExactlyAsync(message);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }

        return times;
    }

    /// <summary>Connects anew and has one byte echoed, so that both sides have finished the handshake; microseconds each, without the closing.</summary>
    private static async Task<List<double>> HandshakeAsync(TransportUnderTest transport, string arg, int count)
    {
        byte[] one = new byte[1];
        List<double> times = new(count);
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await using Stream stream = await transport.ConnectAsync(arg);
            await BenchProtocol.WriteEchoAsync(stream, 1);
            await stream.WriteAsync(one);
            await stream.FlushAsync();
            await stream.ReadExactlyAsync(one);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }

        return times;
    }

    private readonly record struct Transfer(
        double Seconds, double CpuSeconds, double ServerCpuSeconds, long AllocatedBytes, long Packets, int Collections);
}
