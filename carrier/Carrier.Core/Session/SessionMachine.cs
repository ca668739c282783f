using System.Runtime.CompilerServices;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Paths;
using Carrier.Core.Session.Streams;

namespace Carrier.Core.Session;

/// <summary>One session between two nodes, from the end of its handshake: streams, datagrams, paths and keys, all inside sealed packets.</summary>
/// <remarks>
/// Pure and single-threaded: told the time and the packets, asked what to send, when to wake and what happened. After any call, drain
/// <see cref="TryEffect"/> and <see cref="TryTransmit"/>; the latter once a received batch, so that a batch gets one ACK. When the state is
/// <see cref="SessionState.Closed"/> everything lent is returned and the object can be dropped.
/// </remarks>
public sealed class SessionMachine : IDisposable
{
    /// <summary>How often a session looks whether the node has a slab for a write it had to cut short: other sessions give them back, and none tells.</summary>
    private static readonly TimeSpan SlabInterval = TimeSpan.FromMilliseconds(10);

    private readonly SessionParts _parts;
    private readonly LossRepair _repair;
    private readonly PacketReceiver _receiver;
    private readonly PacketSender _sender;
    private readonly EffectQueue _effects;
    private (ulong Code, string Reason)? _closeWhenDelivered;
    private Instant _lookForSlabsAt = Instant.Never;

    public SessionMachine(in SessionSetup setup, Instant now)
    {
        _parts = new SessionParts(setup, now);
        _repair = new LossRepair(_parts);
        _receiver = new PacketReceiver(_parts, _repair);
        _sender = new PacketSender(_parts, new FrameScheduler(_parts));
        _effects = new EffectQueue(_parts);
        if (setup.Role == SessionRole.Initiator)
        {
            // The responder believes in the session only when it hears from it.
            _parts.Pending |= SessionPending.Ping;
        }
    }

    public SessionState State => _parts.Close.State;

    public SessionRole Role => _parts.Role;

    /// <summary>How the session ended; meaningful once <see cref="SessionEffectKind.Closed"/> was told.</summary>
    public SessionClose CloseReason => _parts.Close.Close;

    /// <summary>The path packets leave over.</summary>
    public NetworkPath Path => _parts.Paths.Active.Path;

    /// <summary>The largest payload <see cref="TrySendDatagram"/> takes now: what the path and the peer allow.</summary>
    public int MaxDatagramBytes
    {
        get
        {
            int room = _parts.Paths.Active.Mtu.CurrentBytes - _parts.OverheadBytes;
            return Math.Min(_parts.Remote.MaxDatagramBytes, room - (FrameWriter.DatagramBytes(room) - room));
        }
    }

    public SessionStatistics Statistics
    {
        get
        {
            PathState path = _parts.Paths.Active;
            return new()
            {
                PacketsSent = _parts.Counts.PacketsSent,
                BytesSent = _parts.Counts.BytesSent,
                PacketsReceived = _parts.Counts.PacketsReceived,
                BytesReceived = _parts.Counts.BytesReceived,
                PacketsLost = _parts.Counts.PacketsLost,
                SpuriousLosses = _parts.Counts.SpuriousLosses,
                KeyUpdates = _parts.Keys.Updates,
                Path = path.Path,
                PathsKnown = _parts.Paths.Count,
                SmoothedRtt = path.Rtt.Smoothed,
                CongestionWindowBytes = path.Congestion.CongestionWindowBytes,
                BytesInFlight = _parts.Loss.BytesInFlight,
                PacketBytes = path.Mtu.CurrentBytes,
                LiveStreams = _parts.Streams.Count,
            };
        }
    }

    /// <summary>When to call <see cref="HandleTimeout"/>.</summary>
    public Instant NextDeadline
    {
        get
        {
            if (!_parts.Close.IsLive)
            {
                return _parts.Close.EndsAt;
            }

            if (State == SessionState.Unconfirmed && Role == SessionRole.Responder)
            {
                // It may send nothing yet, so nothing but the end is due.
                return _parts.Timers.IdleAt;
            }

            Instant deadline = Instant.Min(_parts.Timers.IdleAt, _parts.Timers.KeepAliveAt);
            deadline = Instant.Min(deadline, Instant.Min(_parts.Timers.PauseAt, _parts.Loss.NextDeadline));
            deadline = Instant.Min(deadline, _parts.Acks.DueAt);
            deadline = Instant.Min(deadline, _parts.Paths.NextDeadline);
            deadline = Instant.Min(deadline, _parts.Keys.PreviousExpiresAt);
            deadline = Instant.Min(deadline, Instant.Min(_parts.Ids.RetireAt, _lookForSlabsAt));
            return Instant.Min(deadline, _sender.PacedUntil);
        }
    }

    /// <summary>Takes one session packet, without its relay header, as it came over <paramref name="path"/>; it is opened in place.
    /// <paramref name="ecn"/> is how it was marked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Handle(Instant now, in NetworkPath path, Span<byte> packet, EcnCodepoint ecn = EcnCodepoint.NotCapable)
    {
        if (State == SessionState.Closed)
        {
            _parts.Drops.Count(DropReason.Late);
            return;
        }

        _receiver.Handle(now, path, packet, ecn);
        AfterMove(now);
    }

    /// <summary>Whether a 0x62 packet is a true stateless reset of this session's peer; the session then ends at once. The node finds the session by <see cref="PeerId"/>.</summary>
    public bool TryReset(ReadOnlySpan<byte> packet)
    {
        if (State == SessionState.Closed || !SessionPacket.TryParseReset(packet, out ConnectionId id, out ResetToken token) || !_parts.Ids.IsReset(id, token))
        {
            return false;
        }

        _parts.EndNow(new SessionClose(CloseKind.StatelessReset, 0, "", ByPeer: true));
        return true;
    }

    /// <summary>The id of the peer's that our packets carry now: what a stateless reset would name.</summary>
    public ConnectionId PeerId => _parts.Ids.Current;

    public void HandleTimeout(Instant now)
    {
        if (!_parts.Close.IsLive)
        {
            if (now >= _parts.Close.EndsAt)
            {
                _parts.EndNow(_parts.Close.Close);
            }

            return;
        }

        if (now >= _parts.Timers.IdleAt)
        {
            _parts.EndNow(new SessionClose(CloseKind.IdleTimeout, 0, "", ByPeer: false));
            return;
        }

        if (now >= _parts.Timers.KeepAliveAt)
        {
            _parts.Timers.OnKeepAlive(now);
            _parts.Pending |= SessionPending.Ping;
        }

        if (now >= _parts.Timers.PauseAt)
        {
            _parts.Timers.OnPause();
            _parts.Pending |= SessionPending.Ping;
        }

        if (now >= _lookForSlabsAt)
        {
            _parts.Streams.FeedStarved();
            _lookForSlabsAt = _parts.Streams.HasStarved ? now + SlabInterval : Instant.Never;
        }

        _repair.HandleTimeout(now);
        _parts.Paths.HandleTimeout(now);
        _parts.Keys.HandleTimeout(now);
        _parts.Ids.HandleTimeout(now);
        AfterMove(now);
    }

    /// <summary>Fills <paramref name="buffer"/> (at least <see cref="SessionOptions.MaxPacketBytes"/> + <see cref="NetworkPath.RelayHeaderBytes"/>; 64 KiB to
    /// batch) with what is to be sent now over one path, relay headers included. False when there is nothing.</summary>
    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit) => _sender.TryTransmit(now, buffer, out transmit);

    /// <summary>The next thing to do or to tell, until false.</summary>
    public bool TryEffect(out SessionEffect effect) => _effects.TryTake(out effect);

    /// <summary>Opens a stream; false while the peer's limit is reached (<see cref="SessionEffectKind.StreamsAvailable"/> follows) or after the end.</summary>
    public bool TryOpenStream(bool bidirectional, out StreamId id)
    {
        id = default;
        return _parts.Close.IsLive && _parts.Streams.TryOpen(bidirectional, out id);
    }

    /// <summary>Takes bytes to send; returns how many. Fewer than offered, 0 included: <see cref="SessionEffectKind.StreamWritable"/> follows, unless
    /// the stream cannot be written at all any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Write(StreamId id, ReadOnlySpan<byte> data)
    {
        if (!_parts.Streams.TryGet(id.Value, out StreamState stream) || stream.Send is null || stream.ResetCode is not null)
        {
            return 0;
        }

        ReadOnlySpan<byte> taken = data[..(int)Math.Clamp(_parts.MaxUnsentBytes - stream.Send.UnsentBytes, 0, data.Length)];
        int written = stream.Send.Write(taken);
        stream.WantsWritable = written < data.Length && !stream.Send.Finished;
        if (written < taken.Length && stream.Send.WritableBytes > 0)
        {
            // The node's slabs are all out. No acknowledgement need ever come to this stream, so it is not one that can tell of room.
            _parts.Streams.AwaitSlab(stream);
            _lookForSlabsAt = Instant.Zero;
        }

        _parts.Streams.Schedule(stream);
        return written;
    }

    /// <summary>Says how what is written to a stream stands against the session's other streams, from the next packet on.</summary>
    public void SetPriority(StreamId id, StreamPriority priority)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(priority.Urgency, nameof(priority));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(priority.Urgency, StreamPriority.LeastUrgent, nameof(priority));
        if (_parts.Streams.TryGet(id.Value, out StreamState stream))
        {
            _parts.Streams.SetPriority(stream, priority);
        }
    }

    /// <summary>No more will be written; what was written still arrives.</summary>
    public void Finish(StreamId id)
    {
        if (_parts.Streams.TryGet(id.Value, out StreamState stream) && stream is { Send: not null, ResetCode: null })
        {
            stream.Send.Finish();
            _parts.Streams.Schedule(stream);
        }
    }

    /// <summary>Moves bytes out of a stream, in order; returns how many. <paramref name="finished"/> when all up to the peer's fin was read, and never
    /// for a stream that was reset or is not known: a stream cut off must not look complete.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Read(Instant now, StreamId id, Span<byte> destination, out bool finished)
    {
        finished = false;
        if (!_parts.Streams.TryGet(id.Value, out StreamState stream) || stream.Receive is null)
        {
            return 0;
        }

        int read = stream.Receive.Read(destination);
        _parts.StreamReceiver.OnRead(stream, read, now, _parts.Loss.Rtt.Min);
        finished = stream.ReceiveDone && stream.PeerResetCode is null;
        return read;
    }

    /// <summary>Gives up sending: unsent and unacknowledged bytes are dropped, the peer learns <paramref name="code"/>.</summary>
    public void Reset(StreamId id, ulong code)
    {
        if (_parts.Streams.TryGet(id.Value, out StreamState stream) && stream is { Send: { AllAcknowledged: false }, ResetCode: null })
        {
            _parts.StreamReceiver.ResetSending(stream, code & Wire.Varint.MaxValue);
        }
    }

    /// <summary>Gives up reading: what came and comes is thrown away, the peer is asked to stop with <paramref name="code"/>.</summary>
    public void StopSending(Instant now, StreamId id, ulong code)
    {
        if (_parts.Streams.TryGet(id.Value, out StreamState stream) && stream is { Receive: not null, StopCode: null })
        {
            _parts.StreamReceiver.Stop(stream, code & Wire.Varint.MaxValue, now, _parts.Loss.Rtt.Min);
        }
    }

    /// <summary>Queues an unreliable datagram; false when it is larger than <see cref="MaxDatagramBytes"/> or the queue is full.</summary>
    public bool TrySendDatagram(ReadOnlySpan<byte> datagram) =>
        _parts.Close.IsLive && datagram.Length <= MaxDatagramBytes && _parts.Outgoing.TryEnqueue(datagram);

    /// <summary>Takes the oldest datagram received; what <paramref name="destination"/> cannot hold is refused and stays.</summary>
    public bool TryReadDatagram(Span<byte> destination, out int bytes)
    {
        bytes = 0;
        if (_parts.Incoming.IsEmpty)
        {
            _parts.DatagramsTold = false;
            return false;
        }

        if (_parts.Incoming.NextBytes > destination.Length)
        {
            return false;
        }

        bytes = _parts.Incoming.Dequeue(destination);
        return true;
    }

    /// <summary>Probes another way to the peer; if it answers, it may become the path. Our node vouches for it: it is probed though nothing came from it.</summary>
    public void AddCandidatePath(Instant now, in NetworkPath path)
    {
        if (_parts.Close.IsLive)
        {
            _parts.Paths.AddConsented(now, path);
        }
    }

    /// <summary>This device is on another network: its paths must prove that they lead from here too.</summary>
    public void OnNetworkChanged(Instant now) => _parts.Paths.OnNetworkChanged(now);

    /// <summary>Room that <see cref="TryWriteProbe"/> needs.</summary>
    public const int MaxProbeBytes = PacketSender.MaxStrayChallengeBytes + NetworkPath.RelayHeaderBytes;

    /// <summary>Writes a packet for a way to the peer that is not one of the session's paths and does not become one by being sent to: one of many ports
    /// that may be the peer's. Where it arrives, both ends take up the path it came over. The caller sends it.</summary>
    public bool TryWriteProbe(Instant now, in NetworkPath path, Span<byte> buffer, out int bytes) =>
        _sender.TryWriteStrayChallenge(now, path, buffer, out bytes);

    /// <summary>Whether one of the session's paths leaves from this local socket.</summary>
    public bool UsesSocket(ushort socket) => _parts.Paths.UsesSocket(socket);

    /// <summary>Whether a path that needs no relay is known to work.</summary>
    public bool HasDirectPath => _parts.Paths.HasDirect;

    /// <summary>The peer's latest call to meet it behind its NAT.</summary>
    public ReadOnlySpan<byte> PeerPunchCall => _parts.PeerPunchCall;

    /// <summary>Calls the peer to meet us behind our NAT; the latest call counts. At most <see cref="FrameReader.MaxPunchCallBytes"/>.</summary>
    public void CallPunch(ReadOnlySpan<byte> call)
    {
        _parts.PunchCall = call.ToArray();
        _parts.Pending |= SessionPending.PunchCall;
    }

    /// <summary>Tells the peer where it may reach us; the latest list counts, its first <see cref="FrameReader.MaxCandidates"/> at most.</summary>
    public void Advertise(ReadOnlySpan<Endpoint> candidates)
    {
        _parts.Candidates.Clear();
        _parts.Candidates.AddRange(candidates[..Math.Min(candidates.Length, FrameReader.MaxCandidates)]);
        _parts.Pending |= SessionPending.Candidates;
    }

    /// <summary>Ends the session with the application's <paramref name="code"/>; undelivered bytes are dropped. The peer is told.</summary>
    public void Close(Instant now, ulong code, string reason)
    {
        if (_parts.Close.IsLive)
        {
            _parts.BeginClosing(now, new SessionClose(CloseKind.Application, code & Wire.Varint.MaxValue, reason, ByPeer: false));
        }
    }

    /// <summary>As <see cref="Close"/>, but not before the peer has acknowledged what streams that are finished hold. The caller bounds the wait.</summary>
    public void CloseWhenDelivered(Instant now, ulong code, string reason)
    {
        _closeWhenDelivered ??= (code, reason);
        CloseIfDelivered(now);
    }

    /// <summary>Lets go of everything without a word to the peer.</summary>
    public void Dispose()
    {
        if (State != SessionState.Closed)
        {
            _parts.EndNow(new SessionClose(CloseKind.Transport, (ulong)CloseCode.NoError, "", ByPeer: false));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CloseIfDelivered(Instant now)
    {
        if (_closeWhenDelivered is { } close && _parts.Close.IsLive && !_parts.Streams.HasUndelivered)
        {
            Close(now, close.Code, close.Reason);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AfterMove(Instant now)
    {
        CloseIfDelivered(now);
        if (!_parts.Paths.HasMoved)
        {
            return;
        }

        PathState path = _parts.Paths.Active;
        _parts.Paths.HasMoved = false;
        _parts.Loss.SwitchPath(path.Id, path.Rtt);
        _parts.Ecn.Restart();
        path.Pacer.Update(now, path.Congestion.PacingRateBytesPerSecond, path.Rtt.Smoothed);
        _parts.Ids.Replace(now + _parts.Timers.ThreeProbeTimeouts);
        _parts.Notices |= SessionNotices.PathChanged;

        // The peer follows what it hears: let it hear.
        _parts.Pending |= SessionPending.Ping | SessionPending.ObservedAddress;
    }
}
