using System.Runtime.CompilerServices;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Frames;

namespace Carrier.Core.Session.Streams;

/// <summary>What the peer's frames do to streams. Every handler says NoError or the code to close with; a late frame for a stream that is over does nothing.</summary>
internal sealed class StreamReceiver(StreamTable streams)
{
    /// <summary>Bytes arrived. <paramref name="stored"/> is false when they could not be kept: the packet must then not be acknowledged.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public CloseCode OnStream(in StreamFrame frame, Instant now, TimeSpan roundTrip, out bool stored)
    {
        stored = true;
        CloseCode code = streams.Resolve(frame.Stream, toOurSend: false, out StreamState? stream);
        if (code != CloseCode.NoError || stream is null)
        {
            return code;
        }

        ReceiveBuffer receive = stream.Receive!;
        long before = receive.HighestReceived;
        long grown = Math.Max(0, (long)frame.End - before);
        if (!streams.Flow.CanReceive(grown))
        {
            return CloseCode.FlowControl;
        }

        if (stream.PeerResetCode is not null || receive.Finished)
        {
            bool consistent = frame.Fin ? receive.FinalSize == (long)frame.End : receive.FinalSize >= (long)frame.End;
            return consistent ? CloseCode.NoError : CloseCode.FinalSize;
        }

        switch (receive.Insert((long)frame.Offset, frame.Data, frame.Fin))
        {
            case InsertResult.FlowControlViolation:
                return CloseCode.FlowControl;
            case InsertResult.FinalSizeViolation:
                return CloseCode.FinalSize;
            case InsertResult.TooFragmented or InsertResult.OutOfSlabs:
                stored = false;
                return CloseCode.NoError;
            default:
                streams.Flow.OnReceived(receive.HighestReceived - before);
                break;
        }

        if (stream.StopCode is not null)
        {
            // The application is gone: keep the peer's credit moving and nothing else.
            Discard(stream, now, roundTrip);
        }
        else if (receive.ReadableBytes > 0 || receive.Complete)
        {
            NotifyReadable(stream);
        }

        return CloseCode.NoError;
    }

    public CloseCode OnReset(in ResetStreamFrame frame, Instant now, TimeSpan roundTrip)
    {
        CloseCode code = streams.Resolve(frame.Stream, toOurSend: false, out StreamState? stream);
        if (code != CloseCode.NoError || stream is null)
        {
            return code;
        }

        ReceiveBuffer receive = stream.Receive!;
        long grown = Math.Max(0, (long)frame.FinalSize - receive.HighestReceived);
        if (!streams.Flow.CanReceive(grown))
        {
            return CloseCode.FlowControl;
        }

        bool over = receive.Complete || stream.PeerResetCode is not null;
        if (over)
        {
            return receive.FinalSize == (long)frame.FinalSize ? CloseCode.NoError : CloseCode.FinalSize;
        }

        long unread = (long)frame.FinalSize - receive.ReadOffset;
        switch (receive.Reset((long)frame.FinalSize))
        {
            case InsertResult.FlowControlViolation:
                return CloseCode.FlowControl;
            case InsertResult.Ok:
                break;
            default:
                return CloseCode.FinalSize;
        }

        streams.Flow.OnReceived(grown);
        streams.Flow.OnConsumed(unread, now, roundTrip);
        stream.PeerResetCode = frame.Code;
        stream.Notices &= ~StreamNotice.Readable;
        stream.Control &= ~(StreamControl.MaxStreamData | StreamControl.StopSending);
        streams.Notify(stream, StreamNotice.Reset);
        return CloseCode.NoError;
    }

    public CloseCode OnStopSending(in StopSendingFrame frame)
    {
        CloseCode code = streams.Resolve(frame.Stream, toOurSend: true, out StreamState? stream);
        if (code == CloseCode.NoError && stream is { PeerStopCode: null, ResetCode: null } && !stream.Send!.AllAcknowledged)
        {
            stream.PeerStopCode = frame.Code;
            ResetSending(stream, frame.Code);
            streams.Notify(stream, StreamNotice.StopSending);
        }

        return code;
    }

    public CloseCode OnMaxStreamData(in MaxStreamDataFrame frame)
    {
        CloseCode code = streams.Resolve(frame.Stream, toOurSend: true, out StreamState? stream);
        if (code == CloseCode.NoError && stream is not null && (long)frame.Limit > stream.SendLimit)
        {
            stream.SendLimit = (long)frame.Limit;
            streams.Schedule(stream);
        }

        return code;
    }

    public void OnMaxData(ulong limit)
    {
        if (streams.Flow.OnMaxData(limit))
        {
            streams.ReleaseHeld();
        }
    }

    public CloseCode OnMaxStreams(bool bidirectional, ulong limit)
    {
        // RFC 9000 §4.6: a stream id above 2^62 could not be written.
        if (limit > 1UL << 60)
        {
            return CloseCode.FrameEncoding;
        }

        streams.StreamsAvailable |= streams.Counts(bidirectional).Raise(limit);
        return CloseCode.NoError;
    }

    /// <summary>Gives up our half: what is buffered goes, RESET_STREAM tells how much the peer may still see of it.</summary>
    public void ResetSending(StreamState stream, ulong code)
    {
        SendBuffer send = stream.Send!;
        stream.ResetCode = code;
        stream.FinalSentSize = send.SentOffset;
        stream.WantsWritable = false;
        send.Dispose();
        streams.Queue(stream, StreamControl.ResetStream);
    }

    /// <summary>The application took <paramref name="bytes"/>: credit moves on, and the next bytes are news again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void OnRead(StreamState stream, int bytes, Instant now, TimeSpan roundTrip)
    {
        ReceiveBuffer receive = stream.Receive!;
        if (bytes > 0)
        {
            streams.Flow.OnConsumed(bytes, now, roundTrip);
            if (stream.AdvanceWindow(now, roundTrip))
            {
                streams.Queue(stream, StreamControl.MaxStreamData);
            }
        }

        if (receive.Finished)
        {
            stream.Notices &= ~StreamNotice.Readable;
            stream.EndTold = true;
            streams.ForgetIfDone(stream);
        }
        else if (receive.ReadableBytes == 0)
        {
            stream.ReadableTold = false;
        }
    }

    /// <summary>The application reads no more: what is there is thrown away, and the peer asked to stop, unless its end is known.</summary>
    public void Stop(StreamState stream, ulong code, Instant now, TimeSpan roundTrip)
    {
        stream.StopCode = code;
        if (!stream.ReceiveDone && stream.Receive!.FinalSize is null)
        {
            streams.Queue(stream, StreamControl.StopSending);
        }

        Discard(stream, now, roundTrip);
    }

    private void NotifyReadable(StreamState stream)
    {
        if (!stream.ReadableTold)
        {
            stream.ReadableTold = true;
            streams.Notify(stream, StreamNotice.Readable);
        }
    }

    // Keeps the peer's credit moving though nobody reads.
    private void Discard(StreamState stream, Instant now, TimeSpan roundTrip)
    {
        ReceiveBuffer receive = stream.Receive!;
        int bytes = (int)receive.ReadableBytes;
        while (receive.ReadableBytes > 0)
        {
            receive.Consume(receive.Peek().Length);
        }

        OnRead(stream, bytes, now, roundTrip);
    }
}
