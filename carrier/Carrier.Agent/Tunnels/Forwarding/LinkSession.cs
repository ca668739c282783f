using System.IO.Pipelines;
using Carrier.Agent.Network;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary>A dialled session with a peer, shared by all its forwards: its streams, and its UDP flows.</summary>
internal sealed class LinkSession : IAsyncDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly FlowTable _flows = new();
    private readonly Task _dealing;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private Task<bool>? _proving;
    private long _presentAt;
    private long _lastUsed;
    private long _nextFlow;
    private int _users;

    public LinkSession(IPeerSession session, TimeProvider time)
    {
        Session = session;
        _time = time;
        _lastUsed = _presentAt = time.GetTimestamp();
        _dealing = _flows.DealAsync(session, _ended.Token);
    }

    public IPeerSession Session { get; }

    /// <summary>Whether a new tunnel may be opened over it.</summary>
    public bool IsUsable => !Session.Closed.IsCompleted && Volatile.Read(ref _nextFlow) <= (long)TunnelLimits.MaxFlowId;

    public bool IsIdle => Volatile.Read(ref _users) == 0 && _time.GetElapsedTime(Volatile.Read(ref _lastUsed)) >= TunnelLimits.SessionIdle;

    /// <summary>Opens a stream with its request on the way; a flow is in the table until <see cref="Close"/>.</summary>
    /// <exception cref="NetworkException">The session has ended, or has all the flows it may.</exception>
    public async Task<Tunnel> OpenAsync(ServiceName service, DatagramFlow? flow, CancellationToken cancellationToken)
    {
        ulong? id = flow is null ? null : Number(flow);
        Interlocked.Increment(ref _users);
        try
        {
            IDuplexPipe stream = await Session.OpenStreamAsync(cancellationToken).ConfigureAwait(false);
            WriteRequest(stream.Output, new TunnelRequest(id is null ? TunnelKind.Connection : TunnelKind.Flow, service, id ?? 0));
            await stream.Output.FlushAsync(cancellationToken).ConfigureAwait(false);
            return new Tunnel(this, stream, id);
        }
        catch (IOException e)
        {
            Close(id);
            throw new NetworkException(NetworkFailure.Ended, "The session ended.", e);
        }
        catch
        {
            Close(id);
            throw;
        }
    }

    /// <summary>Whether the peer is still there: at once if it was within <paramref name="lately"/>, else after one round trip, which all who ask meanwhile share.</summary>
    public Task<bool> IsPresentAsync(TimeSpan lately)
    {
        lock (_gate)
        {
            if (_proving is { IsCompleted: false })
            {
                return _proving;
            }

            bool isFresh = _time.GetElapsedTime(_presentAt) < lately;
            return isFresh ? Task.FromResult(true) : _proving = ProveAsync();
        }
    }

    /// <summary>A tunnel has ended.</summary>
    public void Close(ulong? flow)
    {
        if (flow is { } id)
        {
            _flows.Remove(id);
        }

        Volatile.Write(ref _lastUsed, _time.GetTimestamp());
        Interlocked.Decrement(ref _users);
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        await _dealing.ConfigureAwait(false);
        Task<bool>? proving;
        lock (_gate)
        {
            proving = _proving;
        }

        if (proving is not null)
        {
            await proving.ConfigureAwait(false);
        }

        await Session.DisposeAsync().ConfigureAwait(false);
        _ended.Dispose();
    }

    private async Task<bool> ProveAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token);
        patience.CancelAfter(TunnelLimits.PresencePatience);
        try
        {
            IDuplexPipe stream = await Session.OpenStreamAsync(patience.Token).ConfigureAwait(false);
            WriteRequest(stream.Output, new TunnelRequest(TunnelKind.Presence, default));
            await stream.Output.CompleteAsync().ConfigureAwait(false);
            bool present = await Framing.TryReadAsync(stream.Input, TunnelLimits.MaxAnswerBytes, patience.Token).ConfigureAwait(false) is not null;
            await stream.Input.CompleteAsync().ConfigureAwait(false);
            lock (_gate)
            {
                _presentAt = _time.GetTimestamp();
            }

            return present;
        }
        catch (Exception e) when (e is IOException or NetworkException or OperationCanceledException)
        {
            return false;
        }
    }

    private ulong Number(DatagramFlow flow)
    {
        ulong id = (ulong)(Interlocked.Increment(ref _nextFlow) - 1);
        return id <= TunnelLimits.MaxFlowId && _flows.TryAdd(id, flow)
            ? id
            : throw new NetworkException(NetworkFailure.Ended, "There are too many UDP flows to this peer.");
    }

    private static void WriteRequest(PipeWriter output, TunnelRequest request)
    {
        Span<byte> encoded = stackalloc byte[TunnelLimits.MaxRequestBytes];
        Framing.Write(output, encoded[..request.Write(encoded)]);
    }
}

/// <summary>A stream of a shared session, its request sent. Disposing gives its place in the session back; the stream is its user's to complete.</summary>
/// <param name="Flow">The number of its UDP flow, if it is one.</param>
internal sealed record Tunnel(LinkSession Link, IDuplexPipe Stream, ulong? Flow) : IDisposable
{
    public void Dispose() => Link.Close(Flow);
}
