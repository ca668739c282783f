using Carrier.Core.Session;
using Carrier.Core.Session.Streams;

namespace Carrier.Tests.Session;

/// <summary>Whose bytes go first when not all can: priorities, turns, and what nobody may hold up.</summary>
public sealed class StreamPriorityTests
{
    private const int LargeBytes = 400_000;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public void SetPriority_urgent_stream_is_sent_before_what_waited_before_it()
    {
        SessionPair pair = new();
        StreamId bulk = OpenAndWrite(pair, LargeBytes, StreamPriority.Default);
        StreamId urgent = OpenAndWrite(pair, LargeBytes, new StreamPriority(1));

        RunUntilFinished(pair, urgent);
        // What left in the flight of its last packet is all that the other stream may have had.
        Assert.InRange(ReceivedBytes(pair, bulk), 0, LargeBytes / 2);
    }

    [Fact]
    public void SetPriority_while_streams_wait_moves_one_ahead_and_back()
    {
        SessionPair pair = new();
        StreamId[] ids = [.. Enumerable.Range(0, 4).Select(_ => OpenAndWrite(pair, LargeBytes, StreamPriority.Default))];
        pair.Initiator.Machine.SetPriority(ids[2], new StreamPriority(0));
        pair.Initiator.Machine.SetPriority(ids[1], new StreamPriority(StreamPriority.LeastUrgent));
        pair.Initiator.Machine.SetPriority(ids[0], new StreamPriority(0));
        pair.Initiator.Machine.SetPriority(ids[0], StreamPriority.Default);

        Assert.Equal([ids[2].Value, ids[1].Value], [FirstToFinish(pair, ids), LastToFinish(pair, ids)]);
    }

    [Fact]
    public void Streams_of_one_urgency_take_turns()
    {
        SessionPair pair = new();
        StreamId[] ids = [.. Enumerable.Range(0, 5).Select(_ => OpenAndWrite(pair, LargeBytes, StreamPriority.Default))];
        Assert.True(pair.RunUntil(() => ids.Sum(id => ReceivedBytes(pair, id)) > LargeBytes, Minute));
        long[] received = [.. ids.Select(id => ReceivedBytes(pair, id))];
        Assert.InRange(received.Min(), 0.8 * received.Max(), received.Max());
    }

    [Fact]
    public void Streams_that_are_not_incremental_are_sent_one_after_another()
    {
        SessionPair pair = new();
        StreamPriority whole = StreamPriority.Default with { IsIncremental = false };
        StreamId first = OpenAndWrite(pair, LargeBytes, whole);
        StreamId second = OpenAndWrite(pair, LargeBytes, whole);

        Assert.True(pair.RunUntil(() => ReceivedBytes(pair, first) > LargeBytes / 2, Minute));
        Assert.Equal(0, ReceivedBytes(pair, second));
        RunUntilFinished(pair, second);
        Assert.Contains(first.Value, pair.Responder.Finished);
    }

    [Fact]
    public void Stream_that_nobody_reads_holds_up_no_other_whatever_its_urgency()
    {
        SessionPair pair = new(parameters: new TransportParameters { StreamWindowBytes = 50_000, SessionWindowBytes = 200_000 });
        pair.Responder.AutoRead = false;
        StreamId unread = OpenAndWrite(pair, LargeBytes, new StreamPriority(0));
        StreamId other = OpenAndWrite(pair, LargeBytes, new StreamPriority(5));

        bool finished = pair.RunUntil(
            () =>
            {
                pair.ReadAll(pair.Responder, other);
                pair.Pump(pair.Responder);
                return pair.Responder.Finished.Contains(other.Value);
            },
            Minute);

        Assert.True(finished);
        Assert.DoesNotContain(unread.Value, pair.Responder.Received.Keys);
    }

    [Fact]
    public void Stream_given_up_while_others_go_first_is_forgotten()
    {
        SessionPair pair = new();
        _ = OpenAndWrite(pair, 10 * LargeBytes, new StreamPriority(0));
        StreamId given = OpenAndWrite(pair, LargeBytes, new StreamPriority(StreamPriority.LeastUrgent));
        pair.Initiator.Machine.Reset(given, 1);
        pair.Initiator.Machine.StopSending(pair.Now, given, 1);

        Assert.True(pair.RunUntil(() => pair.Responder.Effects.Exists(e => e is { Kind: SessionEffectKind.StreamReset } && e.Stream == given), Minute));
        pair.Responder.Machine.Finish(given);
        Assert.True(pair.RunUntil(() => pair.Initiator.Machine.Statistics.LiveStreams == 1, Minute));
    }

    [Fact]
    public void Datagram_waits_no_longer_for_bulk_than_a_round_trip()
    {
        SessionPair pair = new();
        for (int i = 0; i < 4; i++)
        {
            _ = OpenAndWrite(pair, 20 * LargeBytes, new StreamPriority(0));
        }

        pair.Run(TimeSpan.FromMilliseconds(120));
        Assert.True(pair.Initiator.Machine.TrySendDatagram(new byte[1_000]));
        TimeSpan roundTrip = 2 * pair.Wire.Delay;
        Assert.True(pair.RunUntil(() => pair.Responder.Has(SessionEffectKind.DatagramReceived), roundTrip + pair.Wire.Delay));
        Assert.Empty(pair.Responder.Finished);
    }

    private static StreamId OpenAndWrite(SessionPair pair, int bytes, StreamPriority priority)
    {
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        pair.Initiator.Machine.SetPriority(id, priority);
        Assert.Equal(bytes, pair.Initiator.Machine.Write(id, new byte[bytes]));
        pair.Initiator.Machine.Finish(id);
        return id;
    }

    private static long ReceivedBytes(SessionPair pair, StreamId id) => pair.Responder.Received.TryGetValue(id.Value, out MemoryStream? received) ? received.Length : 0;

    private static void RunUntilFinished(SessionPair pair, StreamId id) =>
        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Contains(id.Value), Minute));

    private static ulong FirstToFinish(SessionPair pair, StreamId[] ids)
    {
        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Count > 0, Minute));
        return ids.Select(id => id.Value).First(pair.Responder.Finished.Contains);
    }

    private static ulong LastToFinish(SessionPair pair, StreamId[] ids)
    {
        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Count >= ids.Length - 1, Minute));
        return ids.Select(id => id.Value).First(id => !pair.Responder.Finished.Contains(id));
    }
}
