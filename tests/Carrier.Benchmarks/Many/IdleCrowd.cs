using System.Globalization;
using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Many;

/// <summary>Opens as many sessions as it reads, some at a time, and then does nothing with them; says before and after what it holds.</summary>
internal static class IdleCrowd
{
    private const int AtOnce = 16;

    public static async Task RunAsync(BenchOptions options)
    {
        await using CarrierTransport transport = new(options);
        string arg = options.Arguments[0];
        int count = int.Parse((await Console.In.ReadLineAsync())!, CultureInfo.InvariantCulture);

        // Code compiled, tables grown, caches filled: what is there before the crowd is not the crowd's.
        await Task.WhenAll((await DialAsync(transport, arg, 500)).Select(session => session.CloseAsync()));
        await Holdings.WriteAsync(transport);
        _ = await Console.In.ReadLineAsync();
        List<CarrierSession> sessions = await DialAsync(transport, arg, count);
        await Holdings.WriteAsync(transport, ("sessions", sessions.Count(session => !session.Closed.IsCompleted)));
        _ = await Console.In.ReadLineAsync();
        GC.KeepAlive(sessions);
    }

    private static async Task<List<CarrierSession>> DialAsync(CarrierTransport transport, string arg, int count)
    {
        List<CarrierSession> sessions = new(count);
        while (sessions.Count < count)
        {
            sessions.AddRange(await Task.WhenAll(Enumerable.Range(0, Math.Min(AtOnce, count - sessions.Count)).Select(_ => transport.DialAsync(arg))));
        }

        return sessions;
    }
}
