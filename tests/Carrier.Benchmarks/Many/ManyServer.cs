using Carrier.Benchmarks.Peers;
using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Many;

/// <summary>The serving side: serves every stream of every session, and says what it holds for each line it reads.</summary>
internal static class ManyServer
{
    public static async Task RunAsync(BenchOptions options)
    {
        await using CarrierTransport transport = new(options);
        Console.WriteLine($"READY {await transport.ListenAsync(BenchProtocol.ServeAsync)}");
        while (await Console.In.ReadLineAsync() is not null)
        {
            await Holdings.WriteAsync(transport);
        }
    }
}
