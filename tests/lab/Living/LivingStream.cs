using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Living;

/// <summary>
/// A TCP connection of an ordinary program through <c>carrier forward</c> and <c>carrier serve</c>, its bytes numbered, so that every one lost, doubled
/// or late is seen from outside. Either end may be the one that sends.
/// </summary>
internal sealed class LivingStream : IAsyncDisposable
{
    private const int ServicePort = 7001;
    private const int LocalPort = 7002;

    /// <summary>What a tick writes and how often: some 200 kB/s, which a relay carries as well.</summary>
    private const int TickBytes = 2000;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    /// <summary>The pattern's period: a prime, so that no whole packet lost leaves it as it was.</summary>
    private const int Period = 251;

    private static readonly TimeSpan ConnectDeadline = TimeSpan.FromSeconds(20);

    private readonly Socket _from;
    private readonly Socket _to;
    private long _written;
    private long _read;
    private long _lastArrival = Stopwatch.GetTimestamp();
    private long _longestGap;
    private bool _differs;

    private LivingStream(Socket from, Socket to) => (_from, _to) = (from, to);

    public long Read => Volatile.Read(ref _read);

    /// <summary>Whether every byte that arrived was the next one.</summary>
    public bool InOrder => !Volatile.Read(ref _differs);

    /// <summary>The longest time without an arrival so far.</summary>
    public TimeSpan LongestGap => TimeSpan.FromTicks((long)(Volatile.Read(ref _longestGap) * (double)TimeSpan.TicksPerSecond / Stopwatch.Frequency));

    /// <summary>Publishes the service at one node and forwards to it at the other; both outlive a restart.</summary>
    public static async Task PrepareAsync(SiteNode dialler, SiteNode dialled, CancellationToken cancellation)
    {
        await dialled.MustRunAsync(CarrierCommands.Serve(dialled.Folder, "living", $"127.0.0.1:{ServicePort}"), cancellation);
        await dialler.MustRunAsync(CarrierCommands.Forward(dialler.Folder, LocalPort, dialled.TrustId, "living"), cancellation);
    }

    /// <returns>Null when no connection came about within <see cref="ConnectDeadline"/>.</returns>
    /// <param name="down">The dialled end sends; else the dialler.</param>
    public static async Task<LivingStream?> TryOpenAsync(LabNetwork network, SiteNode dialler, SiteNode dialled, bool down, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(ConnectDeadline);
        using Socket listener = NetworkNamespace.OpenTcp(network.HostOf(dialled.Site));
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, ServicePort));
        listener.Listen();
        Socket near = NetworkNamespace.OpenTcp(network.HostOf(dialler.Site));
        try
        {
            await near.ConnectAsync(new IPEndPoint(IPAddress.Loopback, LocalPort), limit.Token);
            Socket far = await listener.AcceptAsync(limit.Token);
            near.NoDelay = far.NoDelay = true;
            return down ? new LivingStream(far, near) : new LivingStream(near, far);
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            near.Dispose();
            return null;
        }
    }

    /// <summary>Sends a little every few milliseconds, and reads it at the other end, until cancelled or the connection breaks.</summary>
    public Task RunAsync(CancellationToken cancellation) => Task.WhenAll(WritePacedAsync(cancellation), ReadAsync(long.MaxValue, cancellation));

    /// <summary>Sends so many bytes as fast as they go; true when all arrived in order.</summary>
    public async Task<bool> TransferAsync(long bytes, CancellationToken cancellation)
    {
        Volatile.Write(ref _lastArrival, Stopwatch.GetTimestamp());
        await Task.WhenAll(WriteAllAsync(bytes, cancellation), ReadAsync(bytes, cancellation));
        return Read == bytes && InOrder;
    }

    /// <summary>How long from now until a byte written from now on arrives; null when none did within the deadline.</summary>
    public async Task<TimeSpan?> NextArrivalAsync(TimeSpan deadline, CancellationToken cancellation)
    {
        long written = Volatile.Read(ref _written);
        long begun = Stopwatch.GetTimestamp();
        while (Read <= written)
        {
            if (Stopwatch.GetElapsedTime(begun) > deadline)
            {
                return null;
            }

            await Task.Delay(2, cancellation);
        }

        return Stopwatch.GetElapsedTime(begun);
    }

    public ValueTask DisposeAsync()
    {
        _from.Dispose();
        _to.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task WritePacedAsync(CancellationToken cancellation)
    {
        byte[] buffer = new byte[TickBytes];
        using var timer = new PeriodicTimer(Tick);
        while (await timer.WaitForNextTickAsync(cancellation))
        {
            await WriteAsync(buffer, cancellation);
        }
    }

    private async Task WriteAllAsync(long bytes, CancellationToken cancellation)
    {
        byte[] buffer = new byte[64 << 10];
        while (_written < bytes)
        {
            await WriteAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, bytes - _written)), cancellation);
        }
    }

    private async Task WriteAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        for (int i = 0; i < buffer.Length; i++)
        {
            buffer.Span[i] = (byte)((_written + i) % Period);
        }

        for (int sent = 0; sent < buffer.Length;)
        {
            sent += await _from.SendAsync(buffer[sent..], cancellation);
        }

        Volatile.Write(ref _written, _written + buffer.Length);
    }

    private async Task ReadAsync(long bytes, CancellationToken cancellation)
    {
        byte[] buffer = new byte[64 << 10];
        while (_read < bytes)
        {
            int count = await _to.ReceiveAsync(buffer.AsMemory(), cancellation);
            if (count == 0)
            {
                throw new LabException($"the stream ended after {_read} bytes");
            }

            long now = Stopwatch.GetTimestamp();
            Volatile.Write(ref _longestGap, Math.Max(_longestGap, now - _lastArrival));
            Volatile.Write(ref _lastArrival, now);
            for (int i = 0; i < count; i++)
            {
                _differs |= buffer[i] != (byte)((_read + i) % Period);
            }

            Volatile.Write(ref _read, _read + count);
        }
    }
}
