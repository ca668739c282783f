using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Channels;
using Carrier.Agent.Network;
using Carrier.Core.Wire;

namespace Carrier.Agent.Tunnels;

/// <summary>One UDP flow between a local socket and a peer, either end of it.</summary>
/// <remarks>
/// <code>
///  session datagram   varint flow ‖ payload
///  on the stream      ( varint length 0 … 65,507 ‖ payload )*
/// </code>
/// The stream carries what does not fit a session datagram and, at the opener, all that comes before the answer: datagrams may overtake the request.
/// What finds no room is dropped and counted, as UDP does.
/// </remarks>
internal sealed class DatagramFlow(TunnelMeter meter, TimeProvider time, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> deliver)
{
    private const int MaxPrefixBytes = 8;

    private readonly Channel<ArraySegment<byte>> _waiting = Channel.CreateBounded<ArraySegment<byte>>(
        new BoundedChannelOptions(TunnelLimits.MaxWaitingDatagrams) { SingleReader = true });

    private ulong _id;
    private IPeerSession? _session;
    private volatile bool _isOpen;
    private long _lastHeard = time.GetTimestamp();
    private long _dropped;

    /// <summary>Datagrams that found no room.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Sends what the local socket received; never waits. One caller at a time.</summary>
    public void Send(ReadOnlySpan<byte> payload)
    {
        _lastHeard = time.GetTimestamp();
        if (!meter.Allows(payload.Length) || !(TrySendOverSession(payload) || TrySendOverStream(payload)))
        {
            Interlocked.Increment(ref _dropped);
            return;
        }

        meter.CountOut(payload.Length);
    }

    /// <summary>Takes what the peer sent and gives it to the local socket.</summary>
    public async ValueTask TakeAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        _lastHeard = time.GetTimestamp();
        if (!meter.Allows(payload.Length))
        {
            Interlocked.Increment(ref _dropped);
            return;
        }

        meter.CountIn(payload.Length);
        await deliver(payload, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs the flow over a stream whose request was written or answered, until either side ends it or both were silent for long.</summary>
    public async Task<TunnelEnd> RunAsync(IPeerSession session, IDuplexPipe stream, ulong id, bool readsAnswer, CancellationToken cancellationToken)
    {
        _id = id;
        _session = session;
        _isOpen = !readsAnswer;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<TunnelEnd>[] parts = [ReadAsync(stream.Input, readsAnswer, ended.Token), WriteAsync(stream.Output, ended.Token), WatchAsync(ended.Token)];
        Task<TunnelEnd> first = await Task.WhenAny(parts).ConfigureAwait(false);
        _isOpen = false;
        await ended.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(parts).ConfigureAwait(false);
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out ArraySegment<byte> left))
        {
            ArrayPool<byte>.Shared.Return(left.Array!);
        }

        await stream.Output.CompleteAsync().ConfigureAwait(false);
        await stream.Input.CompleteAsync().ConfigureAwait(false);
        return await first.ConfigureAwait(false);
    }

    private bool TrySendOverSession(ReadOnlySpan<byte> payload)
    {
        if (!_isOpen || _session is not { } session || payload.Length + Varint.Length(_id) > session.MaxDatagramBytes)
        {
            return false;
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent(MaxPrefixBytes + payload.Length);
        int prefix = Varint.Write(rented, _id);
        payload.CopyTo(rented.AsSpan(prefix));
        // One that finds no room there is lost: it would only come later over the stream.
        if (!session.TrySendDatagram(rented.AsSpan(0, prefix + payload.Length)))
        {
            Interlocked.Increment(ref _dropped);
        }

        ArrayPool<byte>.Shared.Return(rented);
        return true;
    }

    private bool TrySendOverStream(ReadOnlySpan<byte> payload)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(Math.Max(1, payload.Length));
        payload.CopyTo(rented);
        if (_waiting.Writer.TryWrite(new ArraySegment<byte>(rented, 0, payload.Length)))
        {
            return true;
        }

        ArrayPool<byte>.Shared.Return(rented);
        return false;
    }

    private async Task<TunnelEnd> WriteAsync(PipeWriter output, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (ArraySegment<byte> payload in _waiting.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                Framing.Write(output, payload);
                ArrayPool<byte>.Shared.Return(payload.Array!);
                if ((await output.FlushAsync(cancellationToken).ConfigureAwait(false)).IsCompleted)
                {
                    break;
                }
            }

            return TunnelEnd.PeerReset;
        }
        catch (IOException)
        {
            return TunnelEnd.PeerReset;
        }
        catch (OperationCanceledException)
        {
            return TunnelEnd.Stopped;
        }
    }

    private async Task<TunnelEnd> ReadAsync(PipeReader input, bool readsAnswer, CancellationToken cancellationToken)
    {
        try
        {
            if (readsAnswer && await Pump.ReadAnswerAsync(input, cancellationToken).ConfigureAwait(false) is var outcome and not TunnelOutcome.Open)
            {
                return Pump.EndOf(outcome);
            }

            _isOpen = true;
            while (true)
            {
                byte[]? payload = await Framing.TryReadAsync(input, TunnelLimits.MaxDatagramBytes, cancellationToken).ConfigureAwait(false);
                if (payload is null)
                {
                    return TunnelEnd.Closed;
                }

                await TakeAsync(payload, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (IOException)
        {
            return TunnelEnd.PeerReset;
        }
        catch (OperationCanceledException)
        {
            return TunnelEnd.Stopped;
        }
    }

    private async Task<TunnelEnd> WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (TunnelLimits.FlowIdle - time.GetElapsedTime(Volatile.Read(ref _lastHeard)) is var left && left > TimeSpan.Zero)
            {
                await Task.Delay(left, time, cancellationToken).ConfigureAwait(false);
            }

            return TunnelEnd.Idle;
        }
        catch (OperationCanceledException)
        {
            return TunnelEnd.Stopped;
        }
    }
}
