using System.Buffers;
using System.Net.WebSockets;
using System.Threading.Channels;
using Carrier.Core;
using Carrier.Driving;
using Carrier.Net;

namespace Carrier.Tunnels;

/// <summary>A WebSocket that carries the datagrams to and from one endpoint: each binary message is one datagram. To the machine it is that endpoint.</summary>
/// <remarks>
/// Reliable underneath, but what does not fit the queue is dropped as a router would, so that the session's congestion control sees it. What
/// comes in waits for the network thread in a bounded queue; when that is full the other side's TCP waits.
/// </remarks>
internal sealed class Tunnel(WebSocket socket, Endpoint remote, NodeThread thread) : NetworkWork
{
    /// <summary>What a datagram may have, a relay's header included: no path carries more.</summary>
    public const int MaxDatagramBytes = 1500;

    /// <summary>Datagrams waiting to be written: some 50 ms at 100 Mbit/s.</summary>
    private const int MaxOutgoing = 512;

    /// <summary>Datagrams read and not yet handled.</summary>
    private const int MaxIncoming = 128;

    /// <summary>How long what is queued may take to leave at the end, and the closing handshake after it.</summary>
    private static readonly TimeSpan ClosePatience = TimeSpan.FromMilliseconds(250);

    private readonly Channel<ArraySegment<byte>> _outgoing = Channel.CreateBounded<ArraySegment<byte>>(
        new BoundedChannelOptions(MaxOutgoing) { SingleReader = true, SingleWriter = true });

    private readonly Channel<ArraySegment<byte>> _incoming = Channel.CreateBounded<ArraySegment<byte>>(
        new BoundedChannelOptions(MaxIncoming) { SingleWriter = true });

    /// <summary>The endpoint it stands for.</summary>
    public Endpoint Remote => remote;

    /// <summary>Queues datagrams to be sent; those that do not fit are dropped. The network thread only.</summary>
    public void Send(ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        for (int offset = 0; offset < datagrams.Length; offset += segmentBytes)
        {
            ReadOnlySpan<byte> datagram = datagrams.Slice(offset, Math.Min(segmentBytes, datagrams.Length - offset));
            if (datagram.Length > MaxDatagramBytes)
            {
                continue; // a probe for a path that is wider than any
            }

            byte[] copy = ArrayPool<byte>.Shared.Rent(datagram.Length);
            datagram.CopyTo(copy);
            if (!_outgoing.Writer.TryWrite(new ArraySegment<byte>(copy, 0, datagram.Length)))
            {
                ArrayPool<byte>.Shared.Return(copy);
            }
        }
    }

    /// <summary>Carries until either side closes, the connection breaks, or it is cancelled. Never throws for what the other side does.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _ = await thread.TunnelAsync(this, isOpen: true).ConfigureAwait(false);
        using CancellationTokenSource ended = new();
        Task sending = QuietlyAsync(SendAllAsync(ended.Token));
        Task receiving = QuietlyAsync(ReceiveAllAsync(ended.Token));
        try
        {
            _ = await Task.WhenAny(sending, receiving, Task.Delay(Timeout.Infinite, cancellationToken)).ConfigureAwait(false);
            _ = await thread.TunnelAsync(this, isOpen: false).ConfigureAwait(false);
        }
        finally
        {
            await CloseAsync(sending, receiving, ended).ConfigureAwait(false);
        }
    }

    /// <summary>Hands what arrived to the machine.</summary>
    protected internal override void Run(Instant now)
    {
        while (_incoming.Reader.TryRead(out ArraySegment<byte> datagram))
        {
            thread.HandleTunnelled(now, remote, datagram);
            ArrayPool<byte>.Shared.Return(datagram.Array!);
        }
    }

    private static void Empty(Channel<ArraySegment<byte>> queue)
    {
        while (queue.Reader.TryRead(out ArraySegment<byte> datagram))
        {
            ArrayPool<byte>.Shared.Return(datagram.Array!);
        }
    }

    /// <summary>Lets what is queued leave, farewells above all, and closes.</summary>
    private async Task CloseAsync(Task sending, Task receiving, CancellationTokenSource ended)
    {
        _ = _outgoing.Writer.TryComplete();
        await sending.WaitAsync(ClosePatience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (sending.IsCompleted && socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
        {
            using CancellationTokenSource patience = new(ClosePatience);
            await QuietlyAsync(socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, patience.Token)).ConfigureAwait(false);
        }

        await ended.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(sending, receiving).ConfigureAwait(false);
        socket.Dispose();
        Empty(_outgoing);
        Empty(_incoming);
    }

    // A connection that breaks ends the tunnel, and that is all there is to say of it.
    private static async Task QuietlyAsync(Task pump)
    {
        try
        {
            await pump.ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            return;
        }
    }

    private async Task SendAllAsync(CancellationToken cancellationToken)
    {
        await foreach (ArraySegment<byte> datagram in _outgoing.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await socket.SendAsync(datagram, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken).ConfigureAwait(false);
            ArrayPool<byte>.Shared.Return(datagram.Array!);
        }
    }

    private async Task ReceiveAllAsync(CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[MaxDatagramBytes + 1];
        int bytes = 0;
        while (true)
        {
            ValueWebSocketReceiveResult part = await socket.ReceiveAsync(buffer.AsMemory(bytes), cancellationToken).ConfigureAwait(false);
            bytes += part.Count;
            if (part.MessageType != WebSocketMessageType.Binary || bytes > MaxDatagramBytes)
            {
                return; // closed, or not ours to speak with
            }

            if (part.EndOfMessage && bytes > 0)
            {
                byte[] copy = ArrayPool<byte>.Shared.Rent(bytes);
                buffer.AsSpan(0, bytes).CopyTo(copy);
                await _incoming.Writer.WriteAsync(new ArraySegment<byte>(copy, 0, bytes), cancellationToken).ConfigureAwait(false);
                thread.Post(this);
                bytes = 0;
            }
        }
    }
}
