using System.Collections.Concurrent;
using System.Diagnostics;
using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Peers;
using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Handshakes;

/// <summary>The dialling process: warms up, prints READY, waits for a line, dials, and prints its figures.</summary>
internal static class HandshakesClient
{
    /// <summary>Dials before anything counts, in rounds with a pause after each: the just-in-time compiler's tiers move on only where a core is left to it.</summary>
    private const int WarmUpDials = 3_000;

    private const int WarmUpRounds = 3;

    private static readonly TimeSpan WarmUpPause = TimeSpan.FromSeconds(1.5);

    public static async Task RunAsync(BenchOptions options)
    {
        await using TransportUnderTest transport = TransportUnderTest.Create(options);
        string arg = options.Arguments[0];
        for (int round = 0; round < WarmUpRounds; round++)
        {
            _ = await DialAsync(transport, arg, WarmUpDials, options.Parallel);
            await Task.Delay(WarmUpPause);
        }

        Console.WriteLine("READY -");
        _ = await Console.In.ReadLineAsync();

        double cpu = CpuClock.Seconds;
        long start = Stopwatch.GetTimestamp();
        Dials dials = await DialAsync(transport, arg, options.Handshakes, options.Parallel);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine(Figures.Write(
            ("hs_per_s", dials.Handshakes.Count / seconds),
            ("hs_p50_us", Samples.Percentile(dials.Handshakes, 0.50)),
            ("hs_p99_us", Samples.Percentile(dials.Handshakes, 0.99)),
            ("dial_p50_us", Samples.Percentile(dials.Connects, 0.50)),
            ("cpu_client_us", (CpuClock.Seconds - cpu) * 1e6 / options.Handshakes),
            ("failed", dials.Failed)));
    }

    private static async Task<Dials> DialAsync(TransportUnderTest transport, string arg, int count, int parallel)
    {
        Dials dials = new();
        int left = count;
        await Task.WhenAll(Enumerable.Range(0, parallel).Select(_ => Task.Run(async () =>
        {
            byte[] one = new byte[1];
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await DialOnceAsync(transport, arg, one, dials);
            }
        })));
        return dials;
    }

    private static async Task DialOnceAsync(TransportUnderTest transport, string arg, byte[] one, Dials dials)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            await using Stream stream = await transport.ConnectAsync(arg);
            dials.Connects.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            await BenchProtocol.WriteEchoAsync(stream, 1);
            await stream.WriteAsync(one);
            await stream.ReadExactlyAsync(one);
            dials.Handshakes.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        catch (CarrierException)
        {
            dials.CountFailed();
        }
    }

    private sealed class Dials
    {
        private int _failed;

        /// <summary>Microseconds from the dial to the echoed byte.</summary>
        public ConcurrentBag<double> Handshakes { get; } = [];

        /// <summary>Microseconds from the dial to the session and its first stream.</summary>
        public ConcurrentBag<double> Connects { get; } = [];

        public int Failed => _failed;

        public void CountFailed() => Interlocked.Increment(ref _failed);
    }
}
