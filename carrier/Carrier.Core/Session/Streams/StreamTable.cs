using System.Runtime.CompilerServices;
using Carrier.Core.Session.Buffers;

namespace Carrier.Core.Session.Streams;

/// <summary>The live streams of a session: who may open how many, and which have something to send or to tell.</summary>
/// <remarks>
/// A stream exists from its opening (a peer's frame opens it and all lower ones of its kind, RFC 9000 §3.2) until both halves are over and
/// the application knows; then its slot is given back to the peer by MAX_STREAMS, so the table never holds more than the limits.
/// </remarks>
internal sealed class StreamTable(
    SessionOptions options, SessionRole role, TransportParameters local, TransportParameters remote, SlabPool pool, FlowControl flow)
{
    private readonly Dictionary<ulong, StreamState> _live = [];
    private readonly SendTurns _sendable = new();
    private readonly Queue<StreamState> _held = new();
    private readonly Queue<StreamState> _controls = new();
    private readonly Queue<StreamState> _notices = new();
    private readonly Queue<StreamState> _starved = new();
    private StreamCounts _bidirectional = new(remote.MaxBidirectionalStreams, local.MaxBidirectionalStreams);
    private StreamCounts _unidirectional = new(remote.MaxUnidirectionalStreams, local.MaxUnidirectionalStreams);
    private StreamState? _latest;

    public int Count => _live.Count;

    public FlowControl Flow => flow;

    public bool StreamsAvailable { get; set; }

    public bool HasNotices => _notices.Count > 0;

    public bool HasControls => _controls.Count > 0;

    /// <summary>Some stream has bytes its own limit and the session's allow; held streams wait for MAX_DATA.</summary>
    public bool HasSendable => !_sendable.IsEmpty;

    /// <summary>Some stream's writer waits for the node to have a slab.</summary>
    public bool HasStarved => _starved.Count > 0;

    /// <summary>Some finished stream has bytes or a fin the peer has not acknowledged.</summary>
    public bool HasUndelivered
    {
        get
        {
            foreach (StreamState stream in _live.Values)
            {
                if (stream is { Send: { Finished: true, AllAcknowledged: false }, ResetCode: null })
                {
                    return true;
                }
            }

            return false;
        }
    }

    public ref StreamCounts Counts(bool bidirectional) => ref bidirectional ? ref _bidirectional : ref _unidirectional;

    /// <summary>Opens our next stream of the kind; false while the peer's limit is reached.</summary>
    public bool TryOpen(bool bidirectional, out StreamId id)
    {
        ref StreamCounts counts = ref Counts(bidirectional);
        id = StreamId.Create(role, bidirectional, counts.Opened);
        if (counts.Opened >= counts.MayOpen)
        {
            return false;
        }

        counts.Opened++;
        _ = Add(id);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryGet(ulong id, out StreamState stream)
    {
        if (_latest is not null && _latest.Id.Value == id)
        {
            stream = _latest;
            return true;
        }

        bool found = _live.TryGetValue(id, out StreamState? live);
        stream = live!;
        _latest = live ?? _latest;
        return found;
    }

    /// <summary>Finds the stream a frame names, opening it where the peer may. <paramref name="stream"/> is null when it is over: the frame is
    /// late and ignored. <paramref name="toOurSend"/> says which half the frame is for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public CloseCode Resolve(ulong value, bool toOurSend, out StreamState? stream)
    {
        StreamId id = new(value);
        bool ours = id.Opener == role;
        stream = null;
        if (!id.IsBidirectional && ours != toOurSend)
        {
            return CloseCode.StreamState;
        }

        if (TryGet(value, out StreamState live))
        {
            stream = live;
            return CloseCode.NoError;
        }

        ref StreamCounts counts = ref Counts(id.IsBidirectional);
        if (ours)
        {
            return id.Index < counts.Opened ? CloseCode.NoError : CloseCode.StreamState;
        }

        if (id.Index >= counts.PeerMayOpen)
        {
            return CloseCode.StreamLimit;
        }

        while (counts.PeerOpened <= id.Index)
        {
            stream = Add(StreamId.Create(id.Opener, id.IsBidirectional, counts.PeerOpened++));
            Notify(stream, StreamNotice.Opened);
        }

        return CloseCode.NoError;
    }

    public void Notify(StreamState stream, StreamNotice notice)
    {
        stream.Notices |= notice;
        if (!stream.InNoticeQueue)
        {
            stream.InNoticeQueue = true;
            _notices.Enqueue(stream);
        }
    }

    /// <summary>Takes one thing the application should hear, of the stream that has waited longest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryTakeNotice(out StreamState stream, out StreamNotice notice)
    {
        notice = StreamNotice.None;
        while (_notices.TryPeek(out stream!))
        {
            int bits = (int)stream.Notices;
            if (bits != 0)
            {
                notice = (StreamNotice)(bits & -bits);
                stream.Notices &= ~notice;
                return true;
            }

            _ = _notices.Dequeue();
            stream.InNoticeQueue = false;
            ForgetIfDone(stream);
        }

        return false;
    }

    public void Queue(StreamState stream, StreamControl control)
    {
        stream.Control |= control;
        if (!stream.InControlQueue)
        {
            stream.InControlQueue = true;
            _controls.Enqueue(stream);
        }
    }

    public bool TryPeekControl(out StreamState stream)
    {
        while (_controls.TryPeek(out stream!))
        {
            if (stream.Control != StreamControl.None)
            {
                return true;
            }

            _ = _controls.Dequeue();
            stream.InControlQueue = false;
        }

        return false;
    }

    /// <summary>Puts a stream at the end of the round, if it has something to send.</summary>
    public void Schedule(StreamState stream)
    {
        if (!stream.InSendQueue && stream.CanSend)
        {
            _sendable.Add(stream);
        }
    }

    public void SetPriority(StreamState stream, StreamPriority priority)
    {
        bool waits = stream.InSendQueue;
        if (waits)
        {
            _sendable.Remove(stream);
        }

        stream.Priority = priority;
        if (waits)
        {
            _sendable.Add(stream);
        }
    }

    /// <summary>A write was cut short though the stream's own buffer has room: its writer hears when the pool has a slab again.</summary>
    public void AwaitSlab(StreamState stream)
    {
        if (!stream.IsStarved)
        {
            stream.IsStarved = true;
            _starved.Enqueue(stream);
        }
    }

    /// <summary>Has the writers that waited for slabs try again, if there is one.</summary>
    public void FeedStarved()
    {
        while (pool.HasRoom && _starved.TryDequeue(out StreamState? stream))
        {
            stream.IsStarved = false;
            if (stream.WantsWritable)
            {
                stream.WantsWritable = false;
                Notify(stream, StreamNotice.Writable);
            }
        }
    }

    /// <summary>The stream whose turn it is. Streams held only by the session's limit step aside until MAX_DATA.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryPeekSendable(out StreamState stream)
    {
        while (_sendable.TryPeek(out stream!))
        {
            if (!stream.CanSend)
            {
                _sendable.RemoveFirst();
            }
            else if (flow.SendCredit <= 0 && !stream.Send!.HasLost && stream.Send.SentOffset < stream.Send.WrittenOffset)
            {
                _sendable.RemoveFirst();
                Hold(stream);
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The stream whose turn it was had its packet: the next one's turn, unless it is to be sent in one go.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void EndTurn(StreamState stream)
    {
        if (!stream.CanSend)
        {
            _sendable.RemoveFirst();
        }
        else if (stream.Priority.IsIncremental)
        {
            _sendable.Rotate();
        }
    }

    public void ReleaseHeld()
    {
        while (_held.TryDequeue(out StreamState? stream))
        {
            stream.IsHeld = false;
            Schedule(stream);
        }
    }

    /// <summary>Drops a stream that is over in both directions and, if the peer opened it, lets the peer open another.</summary>
    public void ForgetIfDone(StreamState stream)
    {
        if (!stream.CanForget || !_live.Remove(stream.Id.Value))
        {
            return;
        }

        if (stream.InSendQueue)
        {
            _sendable.Remove(stream); // given up while others went first
        }

        stream.Control = StreamControl.None;
        stream.Dispose();
        _latest = null;
        if (stream.Id.Opener != role)
        {
            Counts(stream.Id.IsBidirectional).ReturnSlot();
        }
    }

    public void Dispose()
    {
        foreach (StreamState stream in _live.Values)
        {
            stream.Dispose();
        }

        _live.Clear();
        _latest = null;
        _sendable.Clear();
        _held.Clear();
        _controls.Clear();
        _notices.Clear();
        _starved.Clear();
    }

    // Out of the round, so that what it loses meanwhile brings it back: lost bytes need no credit.
    private void Hold(StreamState stream)
    {
        if (!stream.IsHeld)
        {
            stream.IsHeld = true;
            _held.Enqueue(stream);
        }
    }

    private StreamState Add(StreamId id)
    {
        bool ours = id.Opener == role;
        StreamState stream = new(
            id,
            ours || id.IsBidirectional ? new SendBuffer(pool, options.MaxSendBufferBytes) : null,
            !ours || id.IsBidirectional ? new ReceiveBuffer(pool, local.StreamWindowBytes) : null,
            remote.StreamWindowBytes,
            new ReceiveWindow(local.StreamWindowBytes, Math.Max(local.StreamWindowBytes, options.MaxStreamWindowBytes)));
        _live.Add(id.Value, stream);
        return stream;
    }
}
