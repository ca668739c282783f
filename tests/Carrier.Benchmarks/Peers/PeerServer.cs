using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Peers;

/// <summary>The serving side of a measurement.</summary>
internal static class PeerServer
{
    public static async Task RunAsync(BenchOptions options)
    {
        await using TransportUnderTest transport = TransportUnderTest.Create(options);
        Console.WriteLine($"READY {await transport.ListenAsync(BenchProtocol.ServeAsync)}");

        if (!options.EndsWithInput)
        {
            await Task.Delay(Timeout.Infinite);
        }

        while (await Console.In.ReadLineAsync() is not null)
        {
        }
    }
}
