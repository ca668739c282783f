using System.Runtime.CompilerServices;
using Carrier.Core.Crypto;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Paths;

namespace Carrier.Core.Session;

/// <summary>Decides what leaves now, over which path, and builds it where it leaves from: header, frames, seal, all in the caller's buffer.</summary>
/// <remarks>
/// A call gives either one packet of a path's probes, or a batch for the path in use: packets of exactly the path's size, the last perhaps shorter, so
/// that one segmented send takes them (GSO). Only the last may be short, hence a packet that could not be filled although more waits is padded.
/// </remarks>
internal sealed class PacketSender(SessionParts parts, FrameScheduler frames)
{
    /// <summary>PATH_CHALLENGE and PATH_RESPONSE of one packet.</summary>
    private const int ProbeFrameBytes = 2 * (1 + sizeof(ulong));

    /// <summary>What one segmented send may carry: the largest UDP payload, less than 64 KiB by the headers.</summary>
    private const int MaxBatchBytes = 65_000;

    /// <summary>A stray challenge without its relay header, under the suite with the longest tag.</summary>
    public const int MaxStrayChallengeBytes = SessionPacket.HeaderBytes + CipherSuites.MaxTagBytes + ProbeFrameBytes;

    private int _untilSkip = -1;

    /// <summary>When the pacer lets the next packet go; Never when nothing waits for it.</summary>
    public Instant PacedUntil { get; private set; } = Instant.Never;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        transmit = default;
        if (parts.Close.State == SessionState.Closing)
        {
            return parts.Close.ClosePending && TrySendClose(now, buffer, out transmit);
        }

        bool maySend = parts.Close.State == SessionState.Open
            || (parts.Close.State == SessionState.Unconfirmed && parts.Role == SessionRole.Initiator);
        if (!maySend || !parts.Loss.HasRoom)
        {
            return false;
        }

        if (parts.Keys.IsExhausted)
        {
            parts.CloseWith(now, CloseCode.AeadLimit, "keys used up");
            return false;
        }

        return TrySendProbe(now, buffer, out transmit) || TrySendBatch(now, buffer, out transmit);
    }

    /// <summary>Writes a PATH_CHALLENGE for a path that is none of the session's, relay header included; one that reaches the peer makes it one.</summary>
    public bool TryWriteStrayChallenge(Instant now, in NetworkPath path, Span<byte> buffer, out int bytes)
    {
        bytes = 0;
        bool maySend = parts.Close.State == SessionState.Open || (parts.Close.State == SessionState.Unconfirmed && parts.Role == SessionRole.Initiator);
        if (!maySend || !parts.Loss.HasRoom || parts.Keys.IsExhausted || buffer.Length < path.HeaderBytes + MaxStrayChallengeBytes)
        {
            return false;
        }

        FrameWriter writer = Open(now, buffer, path, parts.OverheadBytes + ProbeFrameBytes);
        _ = writer.TryWritePathToken(FrameType.PathChallenge, parts.Random.NextUInt64() | 1);
        PacketRecord record = new(parts.Loss);
        bytes = Seal(now, buffer, path, pathId: 0, writer.Length, ref record);
        return true;
    }

    private bool TrySendProbe(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        while (parts.Paths.TryNextProbing(now, out PathState path))
        {
            bool isRound = path.WantsChallenge(now);
            int mtuBytes = !isRound && path.ResponseOwed is null ? path.Mtu.BeginProbe(now, path.Rtt.Smoothed) : 0;
            bool challenge = isRound || mtuBytes > 0;
            ulong? response = path.ResponseOwed;
            path.ResponseOwed = null;
            if (!challenge && response is null)
            {
                continue;
            }

            int limit = mtuBytes > 0 ? mtuBytes : parts.OverheadBytes + ProbeFrameBytes;
            bool allowed = path.MaySend(limit) && buffer.Length >= path.Path.HeaderBytes + limit;
            ulong token = challenge ? parts.Random.NextUInt64() | 1 : 0;
            if (challenge)
            {
                path.OnChallengeSent(now, token, mtuBytes);
            }

            if (!allowed)
            {
                continue;
            }

            FrameWriter writer = Open(now, buffer, path.Path, limit);
            if (response is { } answer)
            {
                _ = writer.TryWritePathToken(FrameType.PathResponse, answer);
            }

            if (challenge)
            {
                _ = writer.TryWritePathToken(FrameType.PathChallenge, token);
            }

            writer.PadTo(mtuBytes - parts.OverheadBytes);
            PacketRecord record = new(parts.Loss);
            int bytes = Seal(now, buffer, path.Path, path.Id, writer.Length, ref record);
            path.SentBytes += bytes - path.Path.HeaderBytes;
            transmit = new(path.Path, bytes, bytes);
            return true;
        }

        transmit = default;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TrySendBatch(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        PathState path = parts.Paths.Active;

        // What a probe timeout repeats fits every path, so that its arrival tells a path that lost its width from one that is down.
        bool isProbe = parts.Loss.ProbesOwed > 0;
        int packetBytes = isProbe ? Math.Min(path.Mtu.CurrentBytes, MtuSearch.BaseBytes) : path.Mtu.CurrentBytes;
        int segment = path.Path.HeaderBytes + packetBytes;
        int room = Math.Min(buffer.Length, MaxBatchBytes);
        bool marks = parts.Ecn.Marks && !path.Path.IsRelayed && parts.Loss.ProbeTimeouts == 0;
        int packets = 0;
        int written = 0;
        int pacedBytes = 0;
        while (room - written >= segment && isProbe == parts.Loss.ProbesOwed > 0)
        {
            bool eliciting = MaySendEliciting(now, path, written);
            Span<byte> packet = buffer.Slice(written, segment);
            FrameWriter writer = Open(now, packet, path.Path, packetBytes);
            PacketRecord record = new(parts.Loss);
            frames.Fill(now, ref writer, ref record, eliciting);
            if (writer.Length == 0)
            {
                if (eliciting)
                {
                    path.Congestion.OnAppLimited(parts.Loss.BytesInFlight);
                }

                break;
            }

            if (eliciting && writer.Remaining > 0 && frames.HasMore)
            {
                writer.PadTo(packetBytes - parts.OverheadBytes);
            }

            if (record.IsAckEliciting)
            {
                writer.PadTo(SessionPacket.MinResettableBytes - parts.OverheadBytes);
            }

            int bytes = Seal(now, packet, path.Path, path.Id, writer.Length, ref record, marks);
            path.SentBytes += bytes - path.Path.HeaderBytes;
            written += bytes;
            packets++;
            pacedBytes += record.IsAckEliciting ? bytes : 0; // acknowledgements alone are not (RFC 9002 §7.7)
            if (bytes < segment)
            {
                break;
            }
        }

        if (pacedBytes > 0)
        {
            path.Congestion.OnPacketSent(now, pacedBytes, parts.Loss.BytesInFlight);
            path.Pacer.OnSent(now, pacedBytes);
        }

        if (marks)
        {
            parts.Ecn.OnMarkedSent(packets);
        }

        transmit = new(path.Path, written, Math.Min(written, segment), marks ? EcnCodepoint.Capable0 : EcnCodepoint.NotCapable);
        return written > 0;
    }

    // Acknowledgements always go; the rest waits for window and pacer, unless a probe is owed.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool MaySendEliciting(Instant now, PathState path, int batchedBytes)
    {
        if (parts.Loss.ProbesOwed > 0)
        {
            return true;
        }

        if (parts.Loss.BytesInFlight + path.Mtu.CurrentBytes > path.Congestion.CongestionWindowBytes)
        {
            PacedUntil = Instant.Never;
            return false;
        }

        // The pacer is asked once a batch: what goes beyond its bucket is a debt the next batch waits off.
        Instant at = batchedBytes > 0 ? now : path.Pacer.NextSend(now, path.Mtu.CurrentBytes);
        PacedUntil = at > now && frames.HasMore ? at : Instant.Never;
        return at <= now;
    }

    private bool TrySendClose(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        PathState path = parts.Paths.Active;
        parts.Close.ClosePending = false;
        FrameWriter writer = Open(now, buffer, path.Path, MtuSearch.BaseBytes);
        _ = writer.TryWriteClose(parts.Close.Frame());
        PacketRecord record = new(parts.Loss);
        int bytes = Seal(now, buffer, path.Path, path.Id, writer.Length, ref record);
        transmit = new(path.Path, bytes, bytes);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private FrameWriter Open(Instant now, Span<byte> buffer, in NetworkPath path, int packetBytes)
    {
        SkipNumberIfDue(now);
        path.WriteHeader(buffer);
        return new FrameWriter(buffer.Slice(path.HeaderBytes + SessionPacket.HeaderBytes, packetBytes - parts.OverheadBytes));
    }

    // A number is left out now and then: who acknowledges it lies (RFC 9000 §21.4).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SkipNumberIfDue(Instant now)
    {
        if (parts.Options.SkipNumberEvery == 0)
        {
            return;
        }

        if (_untilSkip == 0)
        {
            parts.Loss.SkipPacketNumber(now);
        }

        _untilSkip = _untilSkip <= 0 ? 1 + parts.Random.NextInt32(2 * parts.Options.SkipNumberEvery) : _untilSkip - 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Seal(Instant now, Span<byte> buffer, in NetworkPath path, byte pathId, int frameBytes, ref PacketRecord record, bool marked = false)
    {
        Span<byte> packet = buffer.Slice(path.HeaderBytes, frameBytes + parts.OverheadBytes);
        ulong number = parts.Loss.NextPacketNumber;
        parts.Keys.UpdateIfDue(number);
        SessionPacket.WriteHeader(packet, parts.Ids.Current, number, parts.Keys.SendPhase);
        Span<byte> body = packet[SessionPacket.HeaderBytes..];
        parts.Keys.Seal(number, packet[..SessionPacket.HeaderBytes], body, frameBytes);
        if (record.IsAckEliciting)
        {
            parts.Timers.OnElicitingSent(now);
        }

        record.Sent(now, packet.Length, pathId, marked);
        parts.Counts.PacketsSent++;
        parts.Counts.BytesSent += packet.Length;
        return path.HeaderBytes + packet.Length;
    }
}
