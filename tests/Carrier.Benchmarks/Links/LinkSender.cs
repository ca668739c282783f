using System.Diagnostics;
using Carrier.Core.Identity;

namespace Carrier.Benchmarks.Links;

/// <summary><c>link send ARG ADDRESS</c>: sends over one or more sessions at once for a time, or so many bytes, and prints what the receiver says of each.</summary>
internal static class LinkSender
{
    private static readonly TimeSpan DirectPatience = TimeSpan.FromSeconds(10);

    /// <summary>What the receiver's answer may take beyond the time it measures.</summary>
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(10);

    /// <summary>A session of its own before what is measured, so that code is compiled on both sides.</summary>
    private const int WarmUpSeconds = 1;

    public static async Task RunAsync(BenchOptions options)
    {
        string[] arg = options.Arguments[0].Split('/');
        if (!TrustId.TryParse(arg[0], out TrustId peer) || !SeedAddress.TryParse(arg[1], out SeedAddress seed))
        {
            throw new ArgumentException($"'{options.Arguments[0]}' is no TrustID and seed.");
        }

        using var keys = DeviceKeys.Generate(SystemRandomSource.Shared);
        await using CarrierNode node = await LinkNode.StartAsync(options.Arguments[1], seed, keys, options);
        await SendAsync(await ConnectDirectAsync(node, peer), options with { Seconds = WarmUpSeconds });
        List<CarrierSession> sessions = [];
        for (int i = 0; i < options.Sessions; i++)
        {
            sessions.Add(await ConnectDirectAsync(node, peer));
        }

        Console.WriteLine("READY");
        _ = await Console.In.ReadLineAsync(); // so that whoever compares starts both at once
        string[] answers = await Task.WhenAll(sessions.Select(session => SendAsync(session, options)));
        foreach (string answer in answers)
        {
            Console.WriteLine(answer);
        }
    }

    // The relay's path has a congestion window of its own; what is measured begins on the direct one.
    private static async Task<CarrierSession> ConnectDirectAsync(CarrierNode node, TrustId peer)
    {
        CarrierSession session = await node.ConnectAsync(peer, LinkProtocol.Name);
        long begun = Stopwatch.GetTimestamp();
        while (session.Path.Kind != PathKind.Direct)
        {
            if (Stopwatch.GetElapsedTime(begun) > DirectPatience)
            {
                throw new TimeoutException("The session found no direct path.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10));
        }

        return session;
    }

    private static async Task<string> SendAsync(CarrierSession session, BenchOptions options)
    {
        await using Stream stream = (await session.OpenStreamAsync()).AsStream();
        using CancellationTokenSource stop = new();
        Task writing = WriteAsync(stream, options, stop.Token);
        using StreamReader reader = new(stream, leaveOpen: true);
        using CancellationTokenSource patience = new();
        if (options.Seconds > 0)
        {
            patience.CancelAfter(TimeSpan.FromSeconds(options.Seconds) + AnswerPatience);
        }

        string answer = await reader.ReadLineAsync(patience.Token) ?? throw new EndOfStreamException("The receiver ended without an answer.");
        await stop.CancelAsync();
        await session.CloseAsync();
        await writing;
        return answer;
    }

    private static async Task WriteAsync(Stream stream, BenchOptions options, CancellationToken stop)
    {
        long bytes = options.Seconds > 0 ? 0 : options.Bytes;
        await stream.WriteAsync(LinkProtocol.Request(bytes, TimeSpan.FromSeconds(options.Seconds)), stop);
        try
        {
            for (long sent = 0; (bytes == 0 || sent < bytes) && !stop.IsCancellationRequested;)
            {
                int length = (int)Math.Min(LinkProtocol.ChunkBytes, bytes == 0 ? long.MaxValue : bytes - sent);
                await stream.WriteAsync(LinkProtocol.ContentAt(sent, length), stop);
                sent += length;
            }

            await stream.FlushAsync(stop);
        }
        catch (Exception e) when (stop.IsCancellationRequested && e is OperationCanceledException or CarrierException)
        {
            return; // the time is over; what was still on its way was not counted
        }
    }
}
