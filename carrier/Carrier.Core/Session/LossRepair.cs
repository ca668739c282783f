using System.Runtime.CompilerServices;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Recovery;
using Carrier.Core.Session.Streams;

namespace Carrier.Core.Session;

/// <summary>What acknowledgements and losses mean for what was sent: stream bytes are forgotten or sent again, the rest is said anew with its
/// latest value, or not at all where it no longer matters. A datagram lost is lost.</summary>
/// <remarks>In a <see cref="SentFrame"/> the id is the stream's, or a connection id's sequence number; the offset of an ACK is the largest packet number it told.</remarks>
internal sealed class LossRepair(SessionParts parts)
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public CloseCode OnAck(Instant now, ReadOnlySpan<AckRange> newestFirst, TimeSpan delay, EcnCounts? ecn)
    {
        bool advances = parts.Loss.LargestAcked is not { } largest || newestFirst[0].Largest > largest;
        RecoveryReport report = parts.Loss.OnAckReceived(newestFirst, delay, now);
        if (report.Outcome != AckOutcome.Accepted)
        {
            return CloseCode.ProtocolViolation;
        }

        parts.Keys.OnAcknowledged(newestFirst[0].Largest);
        Apply(now, report);
        if (parts.Ecn.OnAck(ecn, report.AckedMarkedPackets, advances))
        {
            parts.Paths.Active.Congestion.OnEcn(now, report.NewestAckedSentAt);
        }

        return CloseCode.NoError;
    }

    public void HandleTimeout(Instant now)
    {
        if (now < parts.Loss.NextDeadline)
        {
            return;
        }

        RecoveryReport report = parts.Loss.OnTimeout(now);
        Apply(now, report);
        if (report.ProbeTimeout)
        {
            parts.Ecn.OnProbeTimeout();
        }

        if (report.ProbeTimeout && parts.Loss.ProbeTimeouts >= Paths.PathTable.SilentAfterProbeTimeouts)
        {
            parts.Notices |= SessionNotices.Silent;
        }

        if (report.ProbeTimeout && parts.Loss.ProbeTimeouts >= Paths.PathTable.DeadAfterProbeTimeouts)
        {
            if (parts.Paths.Active.Mtu.CurrentBytes > Paths.MtuSearch.BaseBytes)
            {
                parts.Paths.Active.OnBlackHole(now);
            }

            parts.Paths.OnActiveSilent(now);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Apply(Instant now, in RecoveryReport report)
    {
        Paths.PathState path = parts.Paths.Active;
        path.CheckSize(now, report);
        path.Congestion.OnReport(now, report);
        path.Pacer.Update(now, path.Congestion.PacingRateBytesPerSecond, path.Rtt.Smoothed);
        parts.Counts.PacketsLost += report.LostPackets;
        parts.Counts.SpuriousLosses += report.SpuriousLosses;
        TakeAcknowledged();

        while (parts.Loss.TryTakeLost(out SentFrame lost))
        {
            OnLost(lost);
        }
    }

    // What follows on in a stream is joined first: a batch of packets moves its buffer on once.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeAcknowledged()
    {
        bool any = parts.Loss.TryTakeAcked(out SentFrame joined);
        while (any)
        {
            any = parts.Loss.TryTakeAcked(out SentFrame next);
            if (any && Follows(next, joined))
            {
                joined = joined with { Length = joined.Length + next.Length, Fin = next.Fin };
            }
            else
            {
                OnAcknowledged(joined);
                joined = next;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Follows(in SentFrame frame, in SentFrame previous) =>
        frame.Kind == (byte)FrameType.Stream && previous.Kind == frame.Kind && previous.StreamId == frame.StreamId
        && previous.Offset + previous.Length == frame.Offset && !previous.Fin;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void OnAcknowledged(in SentFrame frame)
    {
        switch ((FrameType)frame.Kind)
        {
            case FrameType.Ack:
                parts.Acks.OnAckAcknowledged((ulong)frame.Offset);
                break;
            case FrameType.Stream when parts.Streams.TryGet(frame.StreamId, out StreamState stream) && stream.ResetCode is null:
                stream.Send!.Acknowledge(frame.Offset, frame.Length, frame.Fin);
                parts.TellIfWritable(stream);
                parts.Streams.ForgetIfDone(stream);
                break;
            case FrameType.ResetStream when parts.Streams.TryGet(frame.StreamId, out StreamState stream):
                stream.ResetAcknowledged = true;
                parts.Streams.ForgetIfDone(stream);
                break;
            case FrameType.RetireConnectionId:
                parts.Ids.OnRetireResolved(frame.StreamId, lost: false);
                break;
            default:
                break;
        }
    }

    private void OnLost(in SentFrame frame)
    {
        FrameType type = (FrameType)frame.Kind;
        switch (type)
        {
            case FrameType.MaxData:
                parts.Flow.MaxDataPending = true;
                break;
            case FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional:
                parts.Streams.Counts(type == FrameType.MaxStreamsBidirectional).MaxStreamsPending = true;
                break;
            case FrameType.NewConnectionId:
                parts.Ids.OnNewLost(frame.StreamId);
                break;
            case FrameType.RetireConnectionId:
                parts.Ids.OnRetireResolved(frame.StreamId, lost: true);
                break;
            case FrameType.Candidates:
                parts.Pending |= SessionPending.Candidates;
                break;
            case FrameType.ObservedAddress:
                parts.Pending |= SessionPending.ObservedAddress;
                break;
            case FrameType.PunchCall:
                parts.Pending |= SessionPending.PunchCall;
                break;
            default:
                if (parts.Streams.TryGet(frame.StreamId, out StreamState stream))
                {
                    OnStreamFrameLost(stream, type, frame);
                }

                break;
        }
    }

    private void OnStreamFrameLost(StreamState stream, FrameType type, in SentFrame frame)
    {
        switch (type)
        {
            case FrameType.Stream when stream.ResetCode is null:
                stream.Send!.Lose(frame.Offset, frame.Length, frame.Fin);
                parts.Streams.Schedule(stream);
                break;
            case FrameType.ResetStream when !stream.ResetAcknowledged:
                parts.Streams.Queue(stream, StreamControl.ResetStream);
                break;
            case FrameType.StopSending when !stream.ReceiveDone:
                parts.Streams.Queue(stream, StreamControl.StopSending);
                break;
            case FrameType.MaxStreamData when stream.Receive!.FinalSize is null:
                parts.Streams.Queue(stream, StreamControl.MaxStreamData);
                break;
            default:
                break;
        }
    }
}
