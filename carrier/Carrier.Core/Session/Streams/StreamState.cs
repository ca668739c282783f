using System.Runtime.CompilerServices;
using Carrier.Core.Session.Buffers;

namespace Carrier.Core.Session.Streams;

/// <summary>Frames about a stream that wait to be sent. Each is a latest value, never a queue.</summary>
[Flags]
internal enum StreamControl
{
    None = 0,
    MaxStreamData = 1,
    ResetStream = 2,
    StopSending = 4,
}

/// <summary>What the application has not been told about a stream yet, in the order it is told.</summary>
[Flags]
internal enum StreamNotice
{
    None = 0,
    Opened = 1,
    Readable = 2,
    Reset = 4,
    StopSending = 8,
    Writable = 16,
}

/// <summary>One stream: its halves (RFC 9000 §3), and what is still to be said about it.</summary>
internal sealed class StreamState(StreamId id, SendBuffer? send, ReceiveBuffer? receive, long sendLimit, ReceiveWindow window)
{
    // A field, not a property: a mutable struct.
    private ReceiveWindow _window = window;

    public StreamId Id { get; } = id;

    /// <summary>Our sending half; null on the peer's one-way streams.</summary>
    public SendBuffer? Send { get; } = send;

    /// <summary>Our receiving half; null on our one-way streams.</summary>
    public ReceiveBuffer? Receive { get; } = receive;

    /// <summary>One past the highest offset the peer lets us send.</summary>
    public long SendLimit { get; set; } = sendLimit;

    public StreamControl Control { get; set; }

    public StreamNotice Notices { get; set; }

    /// <summary>Changed only while the stream is in no ring of <see cref="SendTurns"/>.</summary>
    public StreamPriority Priority { get; set; } = StreamPriority.Default;

    public bool InSendQueue { get; set; }

    /// <summary>The one after it in the ring of <see cref="SendTurns"/>.</summary>
    public StreamState? NextInTurn { get; set; }

    /// <summary>Waits for the session's MAX_DATA.</summary>
    public bool IsHeld { get; set; }

    public bool InControlQueue { get; set; }

    public bool InNoticeQueue { get; set; }

    /// <summary>The application was refused bytes and waits to hear that it may write again.</summary>
    public bool WantsWritable { get; set; }

    /// <summary>The node had no slab for what the application wrote.</summary>
    public bool IsStarved { get; set; }

    /// <summary>The application was told to read and has not yet read all.</summary>
    public bool ReadableTold { get; set; }

    /// <summary>A read said that there will be no more.</summary>
    public bool EndTold { get; set; }

    /// <summary>Set when we gave up sending; the buffer is empty from then on.</summary>
    public ulong? ResetCode { get; set; }

    public bool ResetAcknowledged { get; set; }

    /// <summary>Set when the peer gave up sending.</summary>
    public ulong? PeerResetCode { get; set; }

    /// <summary>Set when we asked the peer to stop.</summary>
    public ulong? StopCode { get; set; }

    /// <summary>Set when the peer asked us to stop.</summary>
    public ulong? PeerStopCode { get; set; }

    public long FinalSentSize { get; set; }

    public bool SendDone => Send is null || ResetAcknowledged || (ResetCode is null && Send.AllAcknowledged);

    public bool ReceiveDone => Receive is null || Receive.Finished;

    /// <summary>Both halves are over and the application knows: nothing refers to the stream any more.</summary>
    public bool CanForget => SendDone && ReceiveDone && IsEndKnown && (Notices & ~StreamNotice.Writable) == 0;

    // An empty fin ends a stream that was read to its end before; only the next read tells.
    private bool IsEndKnown => Receive is null || EndTold || PeerResetCode is not null || StopCode is not null;

    /// <summary>There is something to send within the stream's own limit.</summary>
    public bool CanSend
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        get => Send is not null && ResetCode is null
            && (Send.HasLost || (Send.HasPending && (Send.SentOffset < SendLimit || Send.SentOffset == Send.WrittenOffset)));
    }

    /// <summary>Moves the peer's limit on after a read; true when MAX_STREAM_DATA should say so.</summary>
    public bool AdvanceWindow(Instant now, TimeSpan roundTrip)
    {
        // Nothing more can come of a stream whose end is known.
        if (Receive is null || Receive.FinalSize is not null || !_window.Advance(Receive.ReadOffset, now, roundTrip))
        {
            return false;
        }

        Receive.Allow(_window.Limit);
        return true;
    }

    public void Dispose()
    {
        Send?.Dispose();
        Receive?.Dispose();
    }
}
