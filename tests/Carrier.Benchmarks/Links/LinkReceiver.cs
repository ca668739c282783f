using System.Diagnostics;
using System.Text;
using Carrier.Benchmarks.Measuring;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;

namespace Carrier.Benchmarks.Links;

/// <summary><c>link receive ADDRESS</c>: a seed and a device that take what senders send, compare every byte with what it must be, and say how fast it came.</summary>
internal static class LinkReceiver
{
    public static async Task RunAsync(BenchOptions options)
    {
        using var transportKey = TransportKey.Generate(SystemRandomSource.Shared);
        await using CarrierNode seed = await LinkNode.StartSeedAsync(options.Arguments[0], transportKey);
        using var keys = DeviceKeys.Generate(SystemRandomSource.Shared);
        await using CarrierNode node = await LinkNode.StartAsync(options.Arguments[0], seed.ServingAddress!.Value, keys, options);
        using IDisposable listening = node.Listen(LinkProtocol.Name, async (session, stop) =>
        {
            if (await session.AcceptStreamAsync(stop) is { } accepted)
            {
                await using CarrierStream stream = accepted;
                await TakeAsync(stream.AsStream(), stop);
                await session.Closed.WaitAsync(stop);
            }
        });
        await node.WaitUntilReadyAsync();
        Console.WriteLine($"READY {node.TrustId}/{seed.ServingAddress}");
        while (await Console.In.ReadLineAsync() is not null)
        {
        }
    }

    /// <summary>Reads what came; 0 at the end of the stream or of the time.</summary>
    private static async ValueTask<int> ReadAsync(Stream stream, byte[] buffer, CancellationToken limit)
    {
        try
        {
            return await stream.ReadAsync(buffer, limit);
        }
        catch (OperationCanceledException)
        {
            return 0;
        }
    }

    private static async Task TakeAsync(Stream stream, CancellationToken stop)
    {
        byte[] buffer = new byte[LinkProtocol.ChunkBytes];
        await stream.ReadExactlyAsync(buffer.AsMemory(0, LinkProtocol.RequestBytes), stop);
        (long bytes, TimeSpan time) = LinkProtocol.Read(buffer);
        long first = Stopwatch.GetTimestamp();
        long last = first;
        TimeSpan stall = TimeSpan.Zero;
        long received = 0;
        bool isEqual = true;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (time > TimeSpan.Zero)
        {
            limit.CancelAfter(time);
        }

        while (bytes == 0 || received < bytes)
        {
            int read = await ReadAsync(stream, buffer, limit.Token);
            if (read == 0)
            {
                break;
            }

            isEqual &= buffer.AsSpan(0, read).SequenceEqual(LinkProtocol.ContentAt(received, read).Span);
            received += read;
            long now = Stopwatch.GetTimestamp();
            TimeSpan gap = Stopwatch.GetElapsedTime(last, now);
            stall = gap > stall ? gap : stall;
            last = now;
        }

        double seconds = (time > TimeSpan.Zero ? time : Stopwatch.GetElapsedTime(first, last)).TotalSeconds;
        string line = Figures.Write(
            ("bytes", received), ("seconds", seconds), ("Mbps", Samples.Ratio(received * 8 / 1e6, seconds)),
            ("stall_ms", stall.TotalMilliseconds), ("equal", isEqual ? 1 : 0));
        await stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), stop);
        await stream.FlushAsync(stop);
    }
}
