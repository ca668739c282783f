using System.Diagnostics;
using Carrier.Benchmarks.Peers;
using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Many;

/// <summary>Opens a thousand streams of one session, has a byte echoed on each and closes them; a hundred times. Says what is held early on and at the end.</summary>
internal static class StreamChurn
{
    public const int StreamsACycle = 1_000;
    public const int Cycles = 100;

    /// <summary>Cycles after which nothing should grow any more.</summary>
    private const int SettlingCycles = 10;

    public static async Task RunAsync(BenchOptions options)
    {
        await using CarrierTransport transport = new(options);
        await using CarrierSession session = await transport.DialAsync(options.Arguments[0]);
        await RunAsync(session, SettlingCycles);
        await SettleAsync(transport);
        await Holdings.WriteAsync(transport);
        _ = await Console.In.ReadLineAsync();

        long start = Stopwatch.GetTimestamp();
        await RunAsync(session, Cycles - SettlingCycles);
        double rate = (Cycles - SettlingCycles) * StreamsACycle / Stopwatch.GetElapsedTime(start).TotalSeconds;
        await SettleAsync(transport);
        await Holdings.WriteAsync(transport, ("streams_per_s", rate));
        _ = await Console.In.ReadLineAsync();
    }

    private static async Task RunAsync(CarrierSession session, int cycles)
    {
        for (int i = 0; i < cycles; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, StreamsACycle).Select(_ => EchoAsync(session)));
        }
    }

    private static async Task EchoAsync(CarrierSession session)
    {
        CarrierStream stream = await session.OpenStreamAsync();
        await using Stream bytes = stream.AsStream();
        byte[] one = new byte[1];
        await BenchProtocol.WriteEchoAsync(bytes, one.Length);
        await bytes.WriteAsync(one);
        await bytes.ReadExactlyAsync(one);
    }

    // The last acknowledgements are still under way; memory that waves needed is let go at the next upkeep.
    private static async Task SettleAsync(CarrierTransport transport)
    {
        for (int i = 0; i < 100 && await transport.HeldAsync() is not (0, 0); i++)
        {
            await Task.Delay(100);
        }
    }
}
