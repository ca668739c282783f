using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Core.Session;

namespace Carrier.Node.Sessions;

/// <summary>All sessions of a node: whose packet this is, who wants to send, whose deadline comes next.</summary>
/// <remarks>
/// Sessions that may have something to send wait in one queue and are served in turn, a batch each, so that no session starves another.
/// What a session says happened is passed on to <see cref="TryEffect"/>, except what only demultiplexing needs.
/// </remarks>
internal sealed class SessionTable(ReadOnlyMemory<byte> resetKey, DropCounters drops)
{
    /// <summary>The resolution of timers (RFC 9002 §6.1.2).</summary>
    private static readonly TimeSpan Granularity = TimeSpan.FromMilliseconds(1);

    /// <summary>How late a deadline further off than <see cref="FarOff"/> may be kept (keepalive, idle timeout), and the end of a session that is closed.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan FarOff = TimeSpan.FromSeconds(2);

    /// <summary>Packets of several sessions in one send: what the kernel takes (UDP_MAX_SEGMENTS).</summary>
    private const int MaxSegments = 64;

    /// <summary>Room before another session is asked to add to a send: any packet or probe fits.</summary>
    private const int MinRoomBytes = 16_384;

    private readonly Dictionary<ConnectionId, NodeSession> _byId = [];
    private readonly Dictionary<ConnectionId, NodeSession> _byPeerId = [];
    private readonly DeadlineHeap<NodeSession> _deadlines = new();
    private readonly Queue<NodeSession> _sending = new();
    private readonly Queue<NodeEffect> _effects = new();
    private readonly HashSet<NodeSession> _all = [];
    private readonly List<NodeSession> _heard = [];
    private readonly Queue<SessionSignal> _signals = new();
    private readonly LeftOver _left = new();
    private ulong _nextId = 1;

    // Whose the last packet was: most often whose the next is.
    private ConnectionId _latestId;
    private NodeSession? _latest;

    public IReadOnlyCollection<NodeSession> All => _all;

    public Instant NextDeadline => _deadlines.Earliest;

    public ulong NextSessionId() => _nextId++;

    /// <summary>Enters a session; its first connection id is known before its machine issues more.</summary>
    public void Add(Instant now, NodeSession session, ConnectionId localId)
    {
        _ = _all.Add(session);
        Map(session, localId);
        Touch(now, session);
    }

    /// <summary>Takes a session packet. A packet of no known session is answered with a stateless reset where it is long enough to bear one.</summary>
    /// <returns>True when the packet was some session's; then <paramref name="session"/> is it.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryHandle(Instant now, in NetworkPath path, Span<byte> packet, EcnCodepoint ecn, out NodeSession? session)
    {
        session = null;
        if (!SessionPacket.TryParse(packet, out SessionPacket header))
        {
            drops.Count(DropReason.Malformed);
            return false;
        }

        session = _latest;
        if (session is null || _latestId != header.Destination)
        {
            if (!_byId.TryGetValue(header.Destination, out session))
            {
                drops.Count(DropReason.UnknownSession);
                return false;
            }

            _latestId = header.Destination;
            _latest = session;
        }

        session.Machine.Handle(now, path, packet, ecn);
        if (!session.IsHeard)
        {
            session.IsHeard = true;
            _heard.Add(session);
        }

        return true;
    }

    /// <summary>Follows up on the sessions a batch had packets for, once each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Settle(Instant now)
    {
        foreach (NodeSession session in _heard)
        {
            session.IsHeard = false;
            Touch(now, session);
        }

        _heard.Clear();
    }

    /// <summary>Writes the reset that answers a packet to an unknown connection id; 0 when the packet was too short to be answered.</summary>
    public int WriteReset(ReadOnlySpan<byte> packet, Span<byte> reset)
    {
        if (packet.Length < SessionPacket.MinResettableBytes)
        {
            return 0;
        }

        var id = ConnectionId.Read(packet[1..]);
        SessionPacket.WriteReset(reset, id, ResetToken.Derive(resetKey.Span, id));
        return SessionPacket.ResetBytes;
    }

    /// <summary>Ends the session whose peer says, by a packet only it can make, that it no longer knows it. False when there is none.</summary>
    public bool TryReset(Instant now, ReadOnlySpan<byte> packet)
    {
        bool isReset = SessionPacket.TryParseReset(packet, out ConnectionId id, out _)
            && _byPeerId.TryGetValue(id, out NodeSession? session) && session.Machine.TryReset(packet);
        if (isReset)
        {
            Touch(now, _byPeerId[id]);
        }

        return isReset;
    }

    /// <summary>Follows up on a session that was touched: what it says, when it wakes, whether it sends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Touch(Instant now, NodeSession session)
    {
        DrainEffects(now, session);
        if (!session.IsRemoved)
        {
            _deadlines.Set(session, WakeAt(now, session, session.Machine.NextDeadline));
            Enqueue(session);
        }
    }

    /// <summary>Wakes every session that is due, once: much of what a deadline asks for is only done by sending, which sets the next one.</summary>
    public void HandleTimeout(Instant now)
    {
        while (_deadlines.TryPopDue(now, out NodeSession session))
        {
            session.Machine.HandleTimeout(now);
            DrainEffects(now, session);
            Enqueue(session);
        }
    }

    /// <summary>Writes what the session whose turn it is has to send, and behind it what the next ones have for the same address: one segmented send takes all.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        if (!_left.TryTake(buffer, out transmit) && !TrySend(now, buffer, out transmit))
        {
            return false;
        }

        while (transmit.Bytes % transmit.SegmentBytes == 0 && transmit.Bytes / transmit.SegmentBytes < MaxSegments && buffer.Length - transmit.Bytes >= MinRoomBytes
            && _sending.TryPeek(out NodeSession? next) && next.Machine.Path == transmit.Path
            && TrySend(now, buffer[transmit.Bytes..], out Transmit more))
        {
            if (!transmit.TryJoin(more, out Transmit joined))
            {
                _left.Put(more, buffer[transmit.Bytes..]);
                break;
            }

            transmit = joined;
        }

        return true;
    }

    public bool TryEffect(out NodeEffect effect) => _effects.TryDequeue(out effect);

    /// <summary>An initiator's session stands with the peer's answer, before its first packet.</summary>
    public void Stands(NodeSession session) => _signals.Enqueue(new SessionSignal(session, SessionEffectKind.Confirmed));

    /// <summary>The next thing about a session that concerns the node itself, until false.</summary>
    public bool TryTakeSignal(out SessionSignal signal) => _signals.TryDequeue(out signal);

    /// <summary>Takes a session out without a word to anybody, as one that was never confirmed.</summary>
    public void Remove(NodeSession session)
    {
        if (session.IsRemoved)
        {
            return;
        }

        session.IsRemoved = true;
        _ = _all.Remove(session);
        _deadlines.Remove(session);
        _latest = null;
        foreach (ConnectionId id in session.LocalIds)
        {
            _ = _byId.Remove(id);
        }

        session.LocalIds.Clear();
        UnmapPeer(session);
        session.Machine.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TrySend(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        while (_sending.TryDequeue(out NodeSession? session))
        {
            session.IsQueuedToSend = false;
            if (session.IsRemoved)
            {
                continue;
            }

            bool sent = session.Machine.TryTransmit(now, buffer, out transmit);
            DrainEffects(now, session);
            if (session.IsRemoved)
            {
                if (sent)
                {
                    return true;
                }

                continue;
            }

            Instant next = session.Machine.NextDeadline;
            if (sent)
            {
                _deadlines.Set(session, next);
                Enqueue(session);
                return true;
            }

            // A session that is due and yet may not send, as an unconfirmed one, is not to be woken again at once.
            _deadlines.Set(session, next > now ? WakeAt(now, session, next) : now + Granularity);
            MapPeer(session);
        }

        transmit = default;
        return false;
    }

    private void Enqueue(NodeSession session)
    {
        if (!session.IsQueuedToSend && !session.IsRemoved)
        {
            session.IsQueuedToSend = true;
            _sending.Enqueue(session);
        }
    }

    // What may be late waits for a common tick: ten thousand idle sessions then wake the node four times a second and not a thousand times.
    private static Instant WakeAt(Instant now, NodeSession session, Instant deadline)
    {
        bool mayBeLate = session.Machine.State is SessionState.Closing or SessionState.Draining || deadline - now >= FarOff;
        if (!mayBeLate || deadline == Instant.Never)
        {
            return deadline;
        }

        long tick = Slack.Ticks * TimeSpan.NanosecondsPerTick;
        return new Instant((deadline.Nanoseconds + tick - 1) / tick * tick);
    }

    // A reset names the id that our packets carry. Looked at whenever a session has nothing more to send.
    private void MapPeer(NodeSession session)
    {
        ConnectionId id = session.Machine.PeerId;
        if (session.PeerId != id)
        {
            UnmapPeer(session);
            session.PeerId = id;
            _byPeerId[id] = session;
        }
    }

    private void UnmapPeer(NodeSession session)
    {
        if (_byPeerId.TryGetValue(session.PeerId, out NodeSession? mapped) && mapped == session)
        {
            _ = _byPeerId.Remove(session.PeerId);
        }
    }

    private void Map(NodeSession session, ConnectionId id)
    {
        _byId[id] = session;
        session.LocalIds.Add(id);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void DrainEffects(Instant now, NodeSession session)
    {
        while (!session.IsRemoved && session.Machine.TryEffect(out SessionEffect effect))
        {
            switch (effect.Kind)
            {
                case SessionEffectKind.ConnectionIdIssued:
                    Map(session, effect.Id);
                    break;
                case SessionEffectKind.ConnectionIdRetired:
                    _latest = null;
                    _ = _byId.Remove(effect.Id);
                    _ = session.LocalIds.Remove(effect.Id);
                    break;
                case SessionEffectKind.PunchCalled or SessionEffectKind.Silent:
                    _signals.Enqueue(new SessionSignal(session, effect.Kind));
                    break;
                case SessionEffectKind.Closed when session.IsClosedTold:
                    break;
                default:
                    if (effect.Kind == SessionEffectKind.Confirmed)
                    {
                        _signals.Enqueue(new SessionSignal(session, effect.Kind));
                    }

                    session.IsClosedTold |= effect.Kind == SessionEffectKind.Closed;
                    _effects.Enqueue(new NodeEffect(NodeEffectKind.Session) { Session = session, InSession = effect });
                    break;
            }
        }

        if (session.Machine.State == SessionState.Closed)
        {
            Remove(session);
        }
    }

    /// <summary>What a session wrote that could not go with another's: it goes next.</summary>
    private sealed class LeftOver
    {
        private byte[] _bytes = [];
        private Transmit _transmit;

        public void Put(in Transmit transmit, ReadOnlySpan<byte> bytes)
        {
            if (_bytes.Length < transmit.Bytes)
            {
                _bytes = new byte[transmit.Bytes];
            }

            bytes[..transmit.Bytes].CopyTo(_bytes);
            _transmit = transmit;
        }

        public bool TryTake(Span<byte> buffer, out Transmit transmit)
        {
            transmit = _transmit;
            _bytes.AsSpan(0, transmit.Bytes).CopyTo(buffer);
            _transmit = default;
            return transmit.Bytes > 0;
        }
    }
}
