using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Session.Streams;
using Carrier.Net;
using Carrier.Node.Sessions;

namespace Carrier.Driving;

/// <summary>The network thread's half of a session: takes what the machine says to the application, and what the application wants to the machine.</summary>
/// <remarks>Touched by the network thread alone but for <see cref="Post"/> and the two boxes.</remarks>
internal sealed class SessionDriver : NetworkWork
{
    /// <summary>How often the round trip shown to the application is taken anew, at most.</summary>
    private static readonly TimeSpan PathRefresh = TimeSpan.FromMilliseconds(100);

    private readonly NodeThread _thread;
    private readonly Dictionary<ulong, StreamDriver> _streams = [];
    private readonly Queue<PendingOpen> _opens = new();
    private (ulong Code, string Reason)? _closeWhenDelivered;
    private Instant _refreshPathAt;
    private bool _isOver;

    // Most sessions have no datagrams.
    private DatagramBox? _outgoing;
    private DatagramBox? _incoming;

    public SessionDriver(NodeThread thread, NodeSession node, Instant now)
    {
        _thread = thread;
        Node = node;
        Session = new CarrierSession(this, PathNow());
        _refreshPathAt = now + PathRefresh;
    }

    public NodeSession Node { get; }

    public SessionMachine Machine => Node.Machine;

    public CarrierSession Session { get; }

    /// <summary>Datagrams the application sends.</summary>
    public DatagramBox Outgoing => LazyInitializer.EnsureInitialized(ref _outgoing);

    /// <summary>Datagrams the application has not taken yet.</summary>
    public DatagramBox Incoming => LazyInitializer.EnsureInitialized(ref _incoming);

    public PathStatus PathNow()
    {
        NetworkPath path = Machine.Path;
        return new PathStatus(path.IsRelayed ? PathKind.Relay : PathKind.Direct, path.Remote, Machine.Statistics.SmoothedRtt);
    }

    public void Post(NetworkWork work) => _thread.Post(work);

    /// <inheritdoc cref="NetworkThread.RunOrPost"/>
    public void RunOrPost(NetworkWork work) => _thread.RunOrPost(work);

    /// <summary>Something of this session that the application awaits.</summary>
    public Awaited<T> NewAwaited<T>() => new(_thread);

    public void LogSubscriberFailed(Exception exception) => _thread.LogSubscriberFailed(Node, exception);

    /// <summary>Takes one thing the machine says.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Handle(Instant now, in SessionEffect effect)
    {
        switch (effect.Kind)
        {
            case SessionEffectKind.StreamOpened:
                Accept(now, effect.Stream);
                break;
            case SessionEffectKind.StreamReadable when _streams.TryGetValue(effect.Stream.Value, out StreamDriver? stream):
                Pump(now, stream);
                break;
            case SessionEffectKind.StreamWritable when _streams.TryGetValue(effect.Stream.Value, out StreamDriver? stream):
                stream.OnWritable();
                Pump(now, stream);
                break;
            case SessionEffectKind.StreamReset when _streams.TryGetValue(effect.Stream.Value, out StreamDriver? stream):
                stream.OnReset(effect.Code);
                Pump(now, stream);
                break;
            case SessionEffectKind.StopSending when _streams.TryGetValue(effect.Stream.Value, out StreamDriver? stream):
                stream.OnStopSending(effect.Code);
                Pump(now, stream);
                break;
            case SessionEffectKind.StreamsAvailable:
                OpenWaiting(now);
                break;
            case SessionEffectKind.DatagramReceived:
                TakeDatagrams();
                break;
            case SessionEffectKind.PathChanged:
                _thread.LogPathChanged(Node, effect.Path);
                Session.OnPathChanged(PathNow());
                break;
            case SessionEffectKind.Closed:
                End(Machine.CloseReason);
                return;
            default:
                break;
        }

        RefreshPath(now);
    }

    /// <summary>Moves what one stream can move.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pump(Instant now, StreamDriver stream)
    {
        if (_isOver)
        {
            return;
        }

        stream.Pump(now);
        if (stream.IsDone)
        {
            _ = _streams.Remove(stream.Id.Value);
        }

        CloseIfDelivered(now);
        _thread.Machine.Touch(now, Node);
    }

    /// <summary>Opens a stream for the application, now or when the peer allows another.</summary>
    public void Open(Instant now, PendingOpen open)
    {
        if (_isOver)
        {
            open.Fail(Failures.Of(Machine.CloseReason));
            return;
        }

        _opens.Enqueue(open);
        OpenWaiting(now);
    }

    /// <summary>Ends the session at once.</summary>
    public void Close(Instant now, ulong code, string reason)
    {
        Machine.Close(now, code, reason);
        _thread.Machine.Touch(now, Node);
    }

    /// <summary>Ends the session when the peer has all that was written to streams whose output was completed.</summary>
    public void CloseWhenDelivered(Instant now, ulong code, string reason)
    {
        _closeWhenDelivered ??= (code, reason);
        CloseIfDelivered(now);
        _thread.Machine.Touch(now, Node);
    }

    /// <summary>Everything of this session comes to its end; the second time does nothing.</summary>
    public void End(in SessionClose close)
    {
        if (_isOver)
        {
            return;
        }

        _isOver = true;
        CarrierException reason = Failures.Of(close);
        foreach (StreamDriver stream in _streams.Values)
        {
            stream.End(reason);
        }

        _streams.Clear();
        while (_opens.TryDequeue(out PendingOpen? open))
        {
            open.Fail(reason);
        }

        TakeDatagrams();
        _thread.Forget(this);
        Session.OnClosed(reason);
    }

    /// <summary>The application put datagrams into <see cref="Outgoing"/>.</summary>
    protected internal override void Run(Instant now)
    {
        while (Outgoing.TryTake(_thread.Scratch, out int bytes, out _))
        {
            // One the machine has no room for is lost, as datagrams are.
            _ = Machine.TrySendDatagram(_thread.Scratch.AsSpan(0, bytes));
        }

        Session.MaxDatagramBytes = Machine.MaxDatagramBytes;
        if (!_isOver)
        {
            _thread.Machine.Touch(now, Node);
        }
    }

    private void Accept(Instant now, StreamId id)
    {
        StreamDriver stream = new(this, id, _thread);
        _streams.Add(id.Value, stream);
        Session.OnStreamOpened(stream.Stream);
        Pump(now, stream);
    }

    private void OpenWaiting(Instant now)
    {
        while (_opens.TryPeek(out PendingOpen? open))
        {
            if (open.IsGivenUp)
            {
                _ = _opens.Dequeue();
                continue;
            }

            if (!Machine.TryOpenStream(bidirectional: true, out StreamId id))
            {
                return;
            }

            _ = _opens.Dequeue();
            StreamDriver stream = new(this, id, _thread);
            _streams.Add(id.Value, stream);
            if (!open.TrySucceed(stream.Stream))
            {
                stream.Abort(0);
            }
        }

        _thread.Machine.Touch(now, Node);
    }

    private void TakeDatagrams()
    {
        bool any = false;
        while (Machine.TryReadDatagram(_thread.Scratch, out int bytes))
        {
            any |= Incoming.TryPut(_thread.Scratch.AsSpan(0, bytes));
        }

        if (any)
        {
            Session.OnDatagrams();
        }
    }

    private void CloseIfDelivered(Instant now)
    {
        if (_closeWhenDelivered is not { } close)
        {
            return;
        }

        foreach (StreamDriver stream in _streams.Values)
        {
            if (stream.IsOutputEnding)
            {
                return;
            }
        }

        _closeWhenDelivered = null;
        Machine.CloseWhenDelivered(now, close.Code, close.Reason);
    }

    private void RefreshPath(Instant now)
    {
        if (now >= _refreshPathAt)
        {
            _refreshPathAt = now + PathRefresh;
            Session.Path = PathNow();
            Session.MaxDatagramBytes = Machine.MaxDatagramBytes;
        }
    }
}
