using Carrier.Core.Session;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Streams;

namespace Carrier.Tests.Session;

/// <summary>What an application sees of streams and datagrams: limits, resets, and room to write.</summary>
public sealed class SessionStreamTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public void Read_slow_reader_is_never_sent_more_than_its_window_and_loses_nothing()
    {
        SessionPair pair = new();
        pair.Responder.AutoRead = false;
        byte[] data = Bytes(5, 4_000_000);
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        pair.Initiator.Machine.Write(id, data);
        pair.Initiator.Machine.Finish(id);
        pair.Run(TimeSpan.FromSeconds(20));

        Assert.InRange(pair.Responder.Pool.Outstanding, 1, 17);
        pair.Responder.AutoRead = true;
        pair.ReadAll(pair.Responder, id);
        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Contains(id.Value), Minute));
        Assert.Equal(data, pair.Responder.Received[id.Value].ToArray());
    }

    [Fact]
    public void Write_streams_held_by_the_session_limit_still_repair_their_losses()
    {
        SessionPair pair = new(
            5, new Wire { Loss = 0.2 }, new SessionOptions { MaxSessionWindowBytes = 50_000 }, new TransportParameters { SessionWindowBytes = 50_000 });
        StreamId[] ids = new StreamId[3];
        for (int i = 0; i < ids.Length; i++)
        {
            Assert.True(pair.Initiator.Machine.TryOpenStream(true, out ids[i]));
            pair.Initiator.Machine.Write(ids[i], Bytes((ulong)i, 300_000));
            pair.Initiator.Machine.Finish(ids[i]);
        }

        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Count == ids.Length, 5 * Minute));
        Assert.All(ids, id => Assert.Equal(300_000, pair.Responder.Received[id.Value].Length));
    }

    [Fact]
    public void Write_full_buffer_tells_when_it_is_writable_again()
    {
        SessionPair pair = new(options: new SessionOptions { MaxSendBufferBytes = 200_000 });
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        Assert.Equal(200_000, pair.Initiator.Machine.Write(id, new byte[300_000]));
        Assert.Equal(0, pair.Initiator.Machine.Write(id, new byte[1]));
        Assert.True(pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.StreamWritable), Minute));
        Assert.InRange(pair.Initiator.Machine.Write(id, new byte[300_000]), 25_000, 200_000);
    }

    [Fact]
    public void Write_takes_little_more_than_the_window_where_that_is_asked_for()
    {
        SessionPair pair = new(options: new SessionOptions { MinUnsentBytes = 100_000 });
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        byte[] data = Bytes(3, 2_000_000);
        int written = pair.Initiator.Machine.Write(id, data);
        Assert.Equal(100_000, written);
        Assert.True(pair.RunUntil(
            () =>
            {
                bool isTold = pair.Initiator.Has(SessionEffectKind.StreamWritable);
                pair.Initiator.Effects.Clear();
                written += isTold ? pair.Initiator.Machine.Write(id, data.AsSpan(written)) : 0;
                return pair.Responder.Received.TryGetValue(id.Value, out MemoryStream? received) && received.Length == data.Length;
            },
            Minute));
        Assert.Equal(data, pair.Responder.Received[id.Value].ToArray());
    }

    [Fact]
    public void Write_takes_a_congestion_window_of_a_stream_alone_and_little_where_the_node_holds_much()
    {
        SessionOptions options = new() { MinUnsentBytes = 5_000, SharedBytes = 2 * SlabPool.SlabBytes };
        SessionPair alone = new(options: options);
        Assert.True(alone.Initiator.Machine.TryOpenStream(true, out StreamId id));
        Assert.InRange(alone.Initiator.Machine.Write(id, new byte[100_000]), 12_000, 14_720); // RFC 9002 §7.2

        SessionPair crowded = new(options: options);
        Assert.True(crowded.Initiator.Pool.TryRent(out _)); // by another session of the node
        Assert.True(crowded.Initiator.Pool.TryRent(out _));
        Assert.True(crowded.Initiator.Machine.TryOpenStream(true, out id));
        Assert.Equal(5_000, crowded.Initiator.Machine.Write(id, new byte[100_000]));
    }

    [Fact]
    public void Write_with_every_slab_of_the_node_out_tells_when_there_is_one_again()
    {
        SessionPair pair = new(initiatorSlabs: 1);
        Assert.True(pair.Initiator.Pool.TryRent(out byte[] elsewhere)); // by another session of the node
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        Assert.Equal(0, pair.Initiator.Machine.Write(id, new byte[1_000]));
        pair.Run(TimeSpan.FromSeconds(1));
        Assert.False(pair.Initiator.Has(SessionEffectKind.StreamWritable));

        pair.Initiator.Pool.Return(elsewhere);
        Assert.True(pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.StreamWritable), TimeSpan.FromMilliseconds(20)));
        Assert.Equal(1_000, pair.Initiator.Machine.Write(id, new byte[1_000]));
        Assert.True(pair.RunUntil(() => pair.Responder.Received.Count > 0, Minute));
    }

    [Fact]
    public void Write_streams_that_share_one_slab_all_get_their_bytes_through()
    {
        SessionPair pair = new(initiatorSlabs: 1);
        Dictionary<StreamId, int> left = [];
        for (int i = 0; i < 4; i++)
        {
            Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
            left.Add(id, 100_000 - pair.Initiator.Machine.Write(id, new byte[100_000]));
        }

        Assert.True(pair.RunUntil(
            () =>
            {
                foreach (SessionEffect effect in pair.Initiator.Effects.Where(effect => effect.Kind == SessionEffectKind.StreamWritable).ToList())
                {
                    left[effect.Stream] -= pair.Initiator.Machine.Write(effect.Stream, new byte[left[effect.Stream]]);
                }

                pair.Initiator.Effects.Clear();
                return pair.Responder.Received.Count == 4 && pair.Responder.Received.Values.All(received => received.Length == 100_000);
            },
            Minute));
    }

    [Fact]
    public void Reset_and_StopSending_reach_the_peer_and_free_everything()
    {
        SessionPair pair = new(wire: new Wire { Loss = 0.2 });
        pair.Responder.AutoRead = false;
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId reset));
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId stopped));
        pair.Initiator.Machine.Write(reset, new byte[100_000]);
        pair.Initiator.Machine.Write(stopped, new byte[100_000]);
        Assert.True(pair.RunUntil(() => pair.Responder.Effects.Count(e => e.Kind == SessionEffectKind.StreamReadable) == 2, Minute));

        pair.Initiator.Machine.Reset(reset, 11);
        pair.Initiator.Machine.StopSending(pair.Now, reset, 12);
        pair.Responder.Machine.StopSending(pair.Now, stopped, 13);
        pair.Responder.Machine.Finish(stopped);
        Assert.True(pair.RunUntil(
            () => pair.Initiator.Machine.Statistics.LiveStreams + pair.Responder.Machine.Statistics.LiveStreams == 0, Minute));

        Assert.Contains(pair.Responder.Effects, e => e is { Kind: SessionEffectKind.StreamReset, Code: 11 });
        Assert.Contains(pair.Responder.Effects, e => e is { Kind: SessionEffectKind.StopSending, Code: 12 });
        Assert.Contains(pair.Initiator.Effects, e => e is { Kind: SessionEffectKind.StopSending, Code: 13 });
        Assert.Equal(0, pair.Initiator.Pool.Outstanding + pair.Responder.Pool.Outstanding);
    }

    [Fact]
    public void TrySendDatagram_arrives_whole_and_a_full_queue_refuses()
    {
        SessionPair pair = new();
        pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.Confirmed), Minute);
        Assert.False(pair.Initiator.Machine.TrySendDatagram(new byte[1_500]));
        Assert.True(pair.Initiator.Machine.TrySendDatagram(Bytes(1, pair.Initiator.Machine.MaxDatagramBytes)));
        Assert.True(pair.Initiator.Machine.TrySendDatagram([]));
        Assert.True(pair.RunUntil(() => pair.Responder.Has(SessionEffectKind.DatagramReceived), Minute));
        byte[] into = new byte[1_500];
        Assert.True(pair.Responder.Machine.TryReadDatagram(into, out int bytes));
        Assert.Equal(Bytes(1, bytes), into[..bytes]);
        Assert.InRange(bytes, 1_100, 1_500);

        int accepted = 0;
        while (pair.Initiator.Machine.TrySendDatagram(new byte[1_000]))
        {
            accepted++;
        }

        Assert.InRange(accepted, 200, 270);
    }

    private static byte[] Bytes(ulong seed, int length)
    {
        byte[] bytes = new byte[length];
        new SeededRandom(seed).Fill(bytes);
        return bytes;
    }
}
