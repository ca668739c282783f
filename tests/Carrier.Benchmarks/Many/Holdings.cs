using System.Diagnostics;
using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Transports;

namespace Carrier.Benchmarks.Many;

/// <summary>What a process holds, as one line of JSON: managed and resident bytes, live streams, slabs out with sessions.</summary>
internal static class Holdings
{
    public static async Task WriteAsync(CarrierTransport transport, params (string Name, double? Value)[] more)
    {
        (int streams, int slabs) = await transport.HeldAsync();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        using var self = Process.GetCurrentProcess();
        Console.WriteLine(Figures.Write(
            [("managed", GC.GetTotalMemory(forceFullCollection: false)), ("resident", self.WorkingSet64), ("streams", streams), ("slabs", slabs), .. more]));
    }
}
