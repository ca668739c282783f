using System.Diagnostics;
using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Peers;
using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Many;

/// <summary>The rate of one stream, then of a hundred sessions with four streams each, and of the slowest of those.</summary>
internal static class BusySessions
{
    private const int Sessions = 100;
    private const int StreamsASession = 4;

    // As long as the runtime needs to have compiled, in the background and on the core that sends, what a hundred sessions run.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(6);

    public static async Task RunAsync(BenchOptions options)
    {
        await using CarrierTransport transport = new(options);
        string arg = options.Arguments[0];
        _ = await MeasureAsync(transport, arg, Sessions, StreamsASession, WarmUp);
        Load before = await MeasureAsync(transport, arg, sessions: 1, streams: 1, Duration);
        Load many = await MeasureAsync(transport, arg, Sessions, StreamsASession, Duration);
        Load after = await MeasureAsync(transport, arg, sessions: 1, streams: 1, Duration);
        Console.WriteLine(Figures.Write(
            ("sessions", Sessions), ("streams_each", StreamsASession),
            ("one_MBps", (before.MBps.Sum() + after.MBps.Sum()) / 2), ("many_MBps", many.MBps.Sum()),
            ("mean_MBps", many.MBps.Average()), ("slowest_MBps", many.MBps.Min()),
            ("one_cpu_tx_s_per_GB", (before.CpuSecondsPerGB + after.CpuSecondsPerGB) / 2), ("many_cpu_tx_s_per_GB", many.CpuSecondsPerGB)));
    }

    private static async Task<Load> MeasureAsync(CarrierTransport transport, string arg, int sessions, int streams, TimeSpan duration)
    {
        List<CarrierSession> dialled = [];
        List<CarrierStream> opened = [];
        for (int i = 0; i < sessions; i++)
        {
            dialled.Add(await transport.DialAsync(arg));
            for (int j = 0; j < streams; j++)
            {
                opened.Add(await dialled[i].OpenStreamAsync());
            }
        }

        double cpu = CpuClock.Seconds;
        long start = Stopwatch.GetTimestamp();
        double[] rates = await Task.WhenAll(opened.Select(stream => Task.Run(() => SendAsync(stream, start, duration))));
        double gigabytes = rates.Sum() * Stopwatch.GetElapsedTime(start).TotalSeconds / 1e3;
        double cpuSeconds = CpuClock.Seconds - cpu;
        await Task.WhenAll(dialled.Select(session => session.CloseAsync()));
        return new Load(rates, Samples.Ratio(cpuSeconds, gigabytes));
    }

    private static async Task<double> SendAsync(CarrierStream stream, long start, TimeSpan duration)
    {
        byte[] chunk = new byte[64 * 1024];
        await BenchProtocol.WriteCountAsync(stream.Output.AsStream());
        while (Stopwatch.GetElapsedTime(start) < duration)
        {
            await stream.Output.WriteAsync(chunk);
        }

        long bytes = await BenchProtocol.EndCountAsync(stream);
        return bytes / 1e6 / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <param name="MBps">The rate of each stream, from the common start until the peer had the last of its bytes.</param>
    /// <param name="CpuSecondsPerGB">What the sending process needed.</param>
    private readonly record struct Load(double[] MBps, double CpuSecondsPerGB);
}
