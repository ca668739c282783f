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

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(6);

    public static async Task RunAsync(BenchOptions options)
    {
        await using CarrierTransport transport = new(options);
        string arg = options.Arguments[0];
        _ = await MeasureAsync(transport, arg, sessions: 1, streams: 1, WarmUp);
        double[] before = await MeasureAsync(transport, arg, sessions: 1, streams: 1, Duration);
        double[] many = await MeasureAsync(transport, arg, Sessions, StreamsASession, Duration);
        double[] after = await MeasureAsync(transport, arg, sessions: 1, streams: 1, Duration);
        Console.WriteLine(Figures.Write(
            ("sessions", Sessions), ("streams_each", StreamsASession),
            ("one_MBps", (before[0] + after[0]) / 2), ("many_MBps", many.Sum()), ("mean_MBps", many.Average()), ("slowest_MBps", many.Min())));
    }

    /// <summary>MB/s of each stream, from the common start until the peer had the last of its bytes.</summary>
    private static async Task<double[]> MeasureAsync(CarrierTransport transport, string arg, int sessions, int streams, TimeSpan duration)
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

        long start = Stopwatch.GetTimestamp();
        double[] rates = await Task.WhenAll(opened.Select(stream => Task.Run(() => SendAsync(stream, start, duration))));
        await Task.WhenAll(dialled.Select(session => session.CloseAsync()));
        return rates;
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
}
