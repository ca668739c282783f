using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Paths;
using Carrier.Core.Session.Streams;

namespace Carrier.Core.Session;

/// <summary>Fills a packet: acknowledgement, then what keeps the session going, then datagrams, then streams by priority and in turn.</summary>
internal sealed class FrameScheduler(SessionParts parts)
{
    /// <summary>A STREAM frame of fewer bytes at the end of a packet costs more than it carries: it waits for the next.</summary>
    private const int MinStreamDataBytes = 16;

    // The longest head STREAM can have; what is left of a packet below it plus some data is padding.
    private const int LongestStreamHead = 17;

    /// <summary>Something ack-eliciting still waits, and would fill another packet.</summary>
    public bool HasMore
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        get => !parts.Outgoing.IsEmpty || parts.Streams.TryPeekSendable(out _) || HasControl;
    }

    private bool HasControl => parts.Pending != SessionPending.None || parts.Flow.MaxDataPending || parts.Ids.HasPending
        || parts.Streams.HasControls || parts.Streams.Counts(true).MaxStreamsPending || parts.Streams.Counts(false).MaxStreamsPending;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Fill(Instant now, ref FrameWriter writer, ref PacketRecord record, bool eliciting)
    {
        bool sendsMore = eliciting && (parts.Loss.ProbesOwed > 0 || HasMore);
        if (parts.Acks.IsDue(now) || (parts.Acks.HasNews && sendsMore))
        {
            if (parts.Acks.TryWrite(now, ref writer, out ulong largest))
            {
                record.Add(FrameType.Ack, offset: (long)largest);
            }
        }

        if (!sendsMore)
        {
            return;
        }

        if (HasControl)
        {
            WriteSession(ref writer, ref record);
            WriteStreamControls(ref writer, ref record);
        }

        WriteDatagrams(ref writer, ref record);
        WriteStreams(ref writer, ref record);
        if (parts.Loss.ProbesOwed > 0 && !record.IsAckEliciting)
        {
            parts.Pending |= SessionPending.Ping;
            WriteSession(ref writer, ref record);
        }
    }

    private void WriteSession(ref FrameWriter writer, ref PacketRecord record)
    {
        if ((parts.Pending & SessionPending.Ping) != 0 && writer.TryWritePing())
        {
            parts.Pending &= ~SessionPending.Ping;
            record.Add(FrameType.Ping);
        }

        if (parts.Flow.MaxDataPending && writer.TryWriteNumbers(FrameType.MaxData, (ulong)parts.Flow.ReceiveLimit))
        {
            parts.Flow.MaxDataPending = false;
            record.Add(FrameType.MaxData);
        }

        WriteMaxStreams(true, FrameType.MaxStreamsBidirectional, ref writer, ref record);
        WriteMaxStreams(false, FrameType.MaxStreamsUnidirectional, ref writer, ref record);
        if (parts.Ids.HasPending)
        {
            parts.Ids.Write(ref writer, ref record);
        }

        if ((parts.Pending & SessionPending.Candidates) != 0
            && writer.TryWriteCandidates(CollectionsMarshal.AsSpan(parts.Candidates)))
        {
            parts.Pending &= ~SessionPending.Candidates;
            record.Add(FrameType.Candidates);
        }

        if ((parts.Pending & SessionPending.PunchCall) != 0 && writer.TryWritePunchCall(parts.PunchCall))
        {
            parts.Pending &= ~SessionPending.PunchCall;
            record.Add(FrameType.PunchCall);
        }

        PathState path = parts.Paths.Active;
        if ((parts.Pending & SessionPending.ObservedAddress) != 0
            && (path.Path.IsRelayed || writer.TryWriteObservedAddress(path.Path.Remote)))
        {
            parts.Pending &= ~SessionPending.ObservedAddress;
            if (!path.Path.IsRelayed)
            {
                record.Add(FrameType.ObservedAddress);
            }
        }
    }

    private void WriteMaxStreams(bool bidirectional, FrameType type, ref FrameWriter writer, ref PacketRecord record)
    {
        ref StreamCounts counts = ref parts.Streams.Counts(bidirectional);
        if (counts.MaxStreamsPending && writer.TryWriteNumbers(type, counts.PeerMayOpen))
        {
            counts.MaxStreamsPending = false;
            record.Add(type);
        }
    }

    private void WriteStreamControls(ref FrameWriter writer, ref PacketRecord record)
    {
        while (parts.Streams.TryPeekControl(out StreamState stream))
        {
            ulong id = stream.Id.Value;
            if ((stream.Control & StreamControl.MaxStreamData) != 0)
            {
                if (!writer.TryWriteNumbers(FrameType.MaxStreamData, id, (ulong)stream.Receive!.MaxOffset))
                {
                    return;
                }

                record.Add(FrameType.MaxStreamData, id);
                stream.Control &= ~StreamControl.MaxStreamData;
            }

            if ((stream.Control & StreamControl.ResetStream) != 0)
            {
                if (!writer.TryWriteNumbers(FrameType.ResetStream, id, stream.ResetCode!.Value, (ulong)stream.FinalSentSize))
                {
                    return;
                }

                record.Add(FrameType.ResetStream, id);
                stream.Control &= ~StreamControl.ResetStream;
            }

            if ((stream.Control & StreamControl.StopSending) != 0)
            {
                if (!writer.TryWriteNumbers(FrameType.StopSending, id, stream.StopCode!.Value))
                {
                    return;
                }

                record.Add(FrameType.StopSending, id);
                stream.Control &= ~StreamControl.StopSending;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteDatagrams(ref FrameWriter writer, ref PacketRecord record)
    {
        while (!parts.Outgoing.IsEmpty)
        {
            int length = parts.Outgoing.NextBytes;
            if (FrameWriter.DatagramBytes(length) <= writer.Remaining)
            {
                parts.Outgoing.Dequeue(writer.OpenDatagram(length));
                record.Add(FrameType.Datagram);
            }
            else if (FrameWriter.DatagramBytes(length) > parts.Paths.Active.Mtu.CurrentBytes - parts.OverheadBytes)
            {
                // It was queued on a path that carried more.
                parts.Outgoing.DropOldest();
            }
            else
            {
                return;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteStreams(ref FrameWriter writer, ref PacketRecord record)
    {
        while (writer.Remaining >= LongestStreamHead + MinStreamDataBytes && parts.Streams.TryPeekSendable(out StreamState stream))
        {
            SendBuffer send = stream.Send!;
            ulong id = stream.Id.Value;
            long sentBefore = send.SentOffset;
            long limit = Math.Min(stream.SendLimit, sentBefore + parts.Flow.SendCredit);
            int capacity = writer.StreamCapacity(id, (ulong)sentBefore);
            if (!send.TryNextRange(capacity, limit, out SendRange range))
            {
                return;
            }

            send.CopyTo(range.Offset, writer.OpenStream(id, (ulong)range.Offset, range.Length, range.Fin));
            record.Add(FrameType.Stream, id, range.Offset, range.Length, range.Fin);
            parts.Flow.OnSent((int)(send.SentOffset - sentBefore));
            parts.Streams.EndTurn(stream);
            parts.TellIfWritable(stream);
        }
    }
}
