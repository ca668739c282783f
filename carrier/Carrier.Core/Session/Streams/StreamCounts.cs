namespace Carrier.Core.Session.Streams;

/// <summary>How many streams of one kind each side has opened and may open (RFC 9000 §4.6).</summary>
internal struct StreamCounts(ulong mayOpen, ulong peerMayOpen)
{
    private readonly ulong _batch = Math.Max(1, peerMayOpen / 4);
    private ulong _returned;

    public ulong Opened { get; set; }

    public ulong MayOpen { get; private set; } = mayOpen;

    public ulong PeerOpened { get; set; }

    /// <summary>What MAX_STREAMS says now.</summary>
    public ulong PeerMayOpen { get; private set; } = peerMayOpen;

    public bool MaxStreamsPending { get; set; }

    public bool Raise(ulong limit)
    {
        bool raised = limit > MayOpen;
        MayOpen = Math.Max(MayOpen, limit);
        return raised;
    }

    /// <summary>A stream of the peer's is over. Slots go back a quarter of the limit at a time: one MAX_STREAMS a quarter, not one a stream.</summary>
    public void ReturnSlot()
    {
        _returned++;
        if (_returned >= _batch)
        {
            PeerMayOpen += _returned;
            _returned = 0;
            MaxStreamsPending = true;
        }
    }
}
