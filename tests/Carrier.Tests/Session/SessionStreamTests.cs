using Carrier.Core.Session;
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
