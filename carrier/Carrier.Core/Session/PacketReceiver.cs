using System.Runtime.CompilerServices;
using System.Text;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Paths;
using Carrier.Core.Session.Recovery;

namespace Carrier.Core.Session;

/// <summary>Opens a packet and acts on its frames, in the order: ours? new? authentic? Only then does it change anything.</summary>
internal sealed class PacketReceiver(SessionParts parts, LossRepair repair)
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Handle(Instant now, in NetworkPath path, Span<byte> packet, EcnCodepoint ecn)
    {
        if (!SessionPacket.TryParse(packet, out SessionPacket header))
        {
            parts.Drops.Count(DropReason.Malformed);
            return;
        }

        if (!parts.Ids.IsLocal(header.Destination))
        {
            parts.Drops.Count(DropReason.UnknownSession);
            return;
        }

        ulong number = SessionPacket.ExpandNumber(parts.Acks.NextExpected, header.TruncatedNumber);
        if (parts.Acks.IsDuplicate(number))
        {
            parts.Drops.Count(DropReason.Replayed);
            return;
        }

        Span<byte> body = packet[SessionPacket.HeaderBytes..];
        if (!parts.Keys.TryOpen(
            now, number, header.Phase, packet[..SessionPacket.HeaderBytes], body, parts.Loss.NextPacketNumber, parts.Timers.ThreeProbeTimeouts))
        {
            parts.Drops.Count(DropReason.DecryptFailed);
            if (parts.Keys.IsExhausted)
            {
                parts.CloseWith(now, CloseCode.AeadLimit, "too many forgeries");
            }

            return;
        }

        OnAuthentic(now, path, header.Destination, number, body[..^parts.Keys.TagBytes], ecn);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void OnAuthentic(Instant now, in NetworkPath path, ConnectionId destination, ulong number, ReadOnlySpan<byte> frames, EcnCodepoint ecn)
    {
        if (parts.Close.State is SessionState.Closing)
        {
            parts.Close.OnPacketWhileClosing();
        }

        if (parts.Close.State is SessionState.Draining)
        {
            return;
        }

        PathState? from = parts.Paths.Find(path);
        Confirm();
        from ??= parts.Close.State == SessionState.Open ? parts.Paths.Adopt(now, path) : null;
        parts.Timers.OnHeard(now, onActivePath: from == parts.Paths.Active);
        parts.Counts.PacketsReceived++;
        parts.Counts.BytesReceived += frames.Length + parts.OverheadBytes;
        if (from is not null)
        {
            from.HeardAt = now;
            from.ReceivedBytes += frames.Length + parts.OverheadBytes;
            if (from.HasFailed)
            {
                from.BeginRound(now); // given up too soon: the peer is there after all
            }
        }

        bool newest = number >= parts.Acks.NextExpected;
        PacketTally tally = new() { Stored = true };
        CloseCode code = frames.IsEmpty ? CloseCode.ProtocolViolation : HandleFrames(now, from, destination, frames, ref tally);
        if (code != CloseCode.NoError)
        {
            parts.CloseWith(now, code, $"frame {tally.Last}");
            return;
        }

        if (!parts.Close.IsLive)
        {
            return;
        }

        if (!tally.Stored)
        {
            parts.Drops.Count(DropReason.Full);
            return;
        }

        if (tally.HasStreamData)
        {
            parts.Timers.OnStreamData(now);
        }

        parts.Acks.OnPacket(now, number, tally.AckEliciting, ecn, tally.HasPing);
        if (newest && tally.NonProbing && from is not null)
        {
            parts.Paths.OnPeerUses(now, from);
        }
    }

    private void Confirm()
    {
        if (parts.Close.State == SessionState.Unconfirmed)
        {
            parts.Close.Confirm();
            parts.Notices |= SessionNotices.Confirmed;
            parts.Pending |= SessionPending.ObservedAddress;

            // Whoever holds the keys got our handshake answer where we sent it, whatever way this packet took (RFC 9000 §8.1).
            parts.Paths.Active.Validate();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private CloseCode HandleFrames(Instant now, PathState? from, ConnectionId destination, ReadOnlySpan<byte> frames, ref PacketTally tally)
    {
        FrameReader reader = new(frames);
        while (!reader.AtEnd)
        {
            if (!reader.TryReadType(out FrameType type))
            {
                return CloseCode.FrameEncoding;
            }

            tally.Note(type);
            if (!FrameRules.IsAllowed(type, parts.Close.State))
            {
                // Closing, or closed by an earlier frame of this packet: nothing after it counts.
                return CloseCode.NoError;
            }

            CloseCode code = HandleFrame(now, from, destination, type, ref reader, ref tally);
            if (code != CloseCode.NoError)
            {
                return code;
            }
        }

        return CloseCode.NoError;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private CloseCode HandleFrame(
        Instant now, PathState? from, ConnectionId destination, FrameType type, ref FrameReader reader, ref PacketTally tally)
    {
        switch (type)
        {
            case FrameType.Padding or FrameType.Ping:
                return CloseCode.NoError;
            case FrameType.Ack or FrameType.AckEcn:
                return OnAck(now, type, ref reader);
            case >= FrameType.Stream and <= FrameType.StreamLast:
                return OnStream(now, type, ref reader, ref tally);
            case FrameType.Datagram or FrameType.DatagramWithLength:
                return OnDatagram(type, ref reader);
            case FrameType.ResetStream or FrameType.StopSending or FrameType.MaxStreamData or FrameType.MaxData
                or FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional:
                return OnStreamControl(now, type, ref reader);
            case FrameType.PathChallenge or FrameType.PathResponse:
                return OnPathToken(now, from, type, ref reader);
            case FrameType.NewConnectionId:
                return reader.TryReadNewConnectionId(out NewConnectionIdFrame issued) ? parts.Ids.OnNew(issued) : CloseCode.FrameEncoding;
            case FrameType.RetireConnectionId:
                return reader.TryReadNumber(out ulong sequence) ? parts.Ids.OnRetire(sequence, destination) : CloseCode.FrameEncoding;
            case FrameType.PunchCall:
                return OnPunchCall(ref reader);
            case FrameType.Candidates or FrameType.ObservedAddress:
                return OnEndpoints(now, type, ref reader);
            default:
                return OnClose(now, type, ref reader);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private CloseCode OnAck(Instant now, FrameType type, ref FrameReader reader)
    {
        Span<AckRange> ranges = stackalloc AckRange[FrameReader.MaxAckRanges];
        EcnCounts counts = default;
        return reader.TryReadAck(ranges, out AckFrame ack) && (type == FrameType.Ack || reader.TryReadEcnCounts(out counts))
            ? repair.OnAck(now, ranges[..ack.RangeCount], ack.Delay, type == FrameType.Ack ? null : counts)
            : CloseCode.FrameEncoding;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private CloseCode OnStream(Instant now, FrameType type, ref FrameReader reader, ref PacketTally tally)
    {
        if (!reader.TryReadStream(type, out StreamFrame frame))
        {
            return CloseCode.FrameEncoding;
        }

        CloseCode code = parts.StreamReceiver.OnStream(frame, now, parts.Loss.Rtt.Min, out bool stored);
        tally.Stored &= stored;
        return code;
    }

    private CloseCode OnDatagram(FrameType type, ref FrameReader reader)
    {
        if (!reader.TryReadDatagram(type, out ReadOnlySpan<byte> data))
        {
            return CloseCode.FrameEncoding;
        }

        if (data.Length > parts.Local.MaxDatagramBytes)
        {
            return CloseCode.ProtocolViolation;
        }

        // A reader too slow for them wants the newest.
        while (!parts.Incoming.TryEnqueue(data))
        {
            parts.Incoming.DropOldest();
            parts.Drops.Count(DropReason.Full);
        }

        if (!parts.DatagramsTold)
        {
            parts.DatagramsTold = true;
            parts.Notices |= SessionNotices.DatagramReceived;
        }

        return CloseCode.NoError;
    }

    private CloseCode OnStreamControl(Instant now, FrameType type, ref FrameReader reader)
    {
        TimeSpan roundTrip = parts.Loss.Rtt.Min;
        switch (type)
        {
            case FrameType.ResetStream when reader.TryReadResetStream(out ResetStreamFrame reset):
                return parts.StreamReceiver.OnReset(reset, now, roundTrip);
            case FrameType.StopSending when reader.TryReadStopSending(out StopSendingFrame stop):
                return parts.StreamReceiver.OnStopSending(stop);
            case FrameType.MaxStreamData when reader.TryReadMaxStreamData(out MaxStreamDataFrame limit):
                return parts.StreamReceiver.OnMaxStreamData(limit);
            case FrameType.MaxData when reader.TryReadNumber(out ulong limit):
                parts.StreamReceiver.OnMaxData(limit);
                return CloseCode.NoError;
            case FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional when reader.TryReadNumber(out ulong limit):
                return parts.StreamReceiver.OnMaxStreams(type == FrameType.MaxStreamsBidirectional, limit);
            default:
                return CloseCode.FrameEncoding;
        }
    }

    private CloseCode OnPathToken(Instant now, PathState? from, FrameType type, ref FrameReader reader)
    {
        if (!reader.TryReadPathToken(out ulong token))
        {
            return CloseCode.FrameEncoding;
        }

        if (type == FrameType.PathResponse)
        {
            // Unexpected ones happen: the path was given up meanwhile.
            _ = parts.Paths.OnResponse(now, token);
        }
        else if (from is not null)
        {
            from.ResponseOwed = token;
        }

        return CloseCode.NoError;
    }

    private CloseCode OnEndpoints(Instant now, FrameType type, ref FrameReader reader)
    {
        int count = 1;
        if (type == FrameType.Candidates && !reader.TryReadCandidateCount(out count))
        {
            return CloseCode.FrameEncoding;
        }

        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadEndpoint(out Endpoint endpoint))
            {
                return CloseCode.FrameEncoding;
            }

            if (type == FrameType.ObservedAddress)
            {
                parts.Observed = endpoint;
                parts.Notices |= SessionNotices.AddressObserved;
            }
            else if (!parts.Paths.AddCandidate(now, endpoint))
            {
                parts.Drops.Count(DropReason.ScopeMismatch);
            }
        }

        return CloseCode.NoError;
    }

    private CloseCode OnPunchCall(ref FrameReader reader)
    {
        if (!reader.TryReadPunchCall(out ReadOnlySpan<byte> call))
        {
            return CloseCode.FrameEncoding;
        }

        parts.PeerPunchCall = call.ToArray(); // the latest counts
        parts.Notices |= SessionNotices.PunchCalled;
        return CloseCode.NoError;
    }

    private CloseCode OnClose(Instant now, FrameType type, ref FrameReader reader)
    {
        if (!reader.TryReadClose(type, out CloseFrame frame))
        {
            return CloseCode.FrameEncoding;
        }

        CloseKind kind = frame.IsApplication ? CloseKind.Application : CloseKind.Transport;
        parts.BeginDraining(now, new SessionClose(kind, frame.Code, Encoding.UTF8.GetString(frame.Reason), ByPeer: true));
        return CloseCode.NoError;
    }

    /// <summary>What the frames of one packet add up to.</summary>
    private struct PacketTally
    {
        /// <summary>Everything in it was kept; else it must come again, and is not acknowledged.</summary>
        public bool Stored { get; set; }

        public bool AckEliciting { get; private set; }

        public bool NonProbing { get; private set; }

        public bool HasStreamData { get; private set; }

        public bool HasPing { get; private set; }

        public FrameType Last { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Note(FrameType type)
        {
            Last = type;
            AckEliciting |= FrameRules.IsAckEliciting(type);
            NonProbing |= !FrameRules.IsProbing(type);
            HasPing |= type == FrameType.Ping;
            HasStreamData |= type is >= FrameType.Stream and <= FrameType.StreamLast;
        }
    }
}
