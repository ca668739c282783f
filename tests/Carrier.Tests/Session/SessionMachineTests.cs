using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Session.Streams;

namespace Carrier.Tests.Session;

public sealed class SessionMachineTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public void Handle_first_packet_confirms_both_ends_and_issues_ids()
    {
        SessionPair pair = new();

        Assert.False(pair.Responder.Machine.TryTransmit(pair.Now, new byte[2_000], out _));
        Assert.True(pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.Confirmed), Minute));

        Assert.True(pair.Responder.Has(SessionEffectKind.Confirmed));
        Assert.Equal(SessionState.Open, pair.Initiator.Machine.State);
        Assert.Equal(3, pair.Initiator.Effects.Count(effect => effect.Kind == SessionEffectKind.ConnectionIdIssued));
    }

    [Fact]
    public void Write_bytes_both_ways_arrive_in_order_and_the_stream_is_forgotten()
    {
        SessionPair pair = new();
        byte[] question = Bytes(7, 300_000);
        byte[] answer = Bytes(8, 5_000_000);
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        Assert.Equal(question.Length, pair.Initiator.Machine.Write(id, question));
        pair.Initiator.Machine.Finish(id);
        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Contains(id.Value), Minute));
        Assert.Equal(answer.Length, pair.Responder.Machine.Write(id, answer));
        pair.Responder.Machine.Finish(id);

        Assert.True(pair.RunUntil(() => pair.Initiator.Finished.Contains(id.Value), Minute));
        pair.Run(TimeSpan.FromSeconds(1));

        Assert.Equal(question, pair.Responder.Received[id.Value].ToArray());
        Assert.Equal(answer, pair.Initiator.Received[id.Value].ToArray());
        Assert.Equal(0, pair.Initiator.Machine.Statistics.LiveStreams);
        Assert.Equal(0, pair.Responder.Machine.Statistics.LiveStreams);
        Assert.Equal(0, pair.Initiator.Pool.Outstanding + pair.Responder.Pool.Outstanding);
    }

    [Fact]
    public void Read_tells_the_end_that_came_after_all_was_read_even_when_both_halves_are_over()
    {
        SessionPair pair = new();
        pair.Responder.AutoRead = false;
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        _ = pair.Initiator.Machine.Write(id, Bytes(1, 100));
        Assert.True(pair.RunUntil(() => pair.Responder.Has(SessionEffectKind.StreamReadable), Minute));
        Assert.Equal(100, pair.Responder.Machine.Read(pair.Now, id, new byte[200], out bool finished));
        Assert.False(finished);

        pair.Responder.Machine.Finish(id);
        pair.Initiator.Machine.Finish(id);
        pair.Run(TimeSpan.FromSeconds(1));

        Assert.Equal(0, pair.Responder.Machine.Read(pair.Now, id, new byte[200], out finished));
        Assert.True(finished);
        Assert.Equal(0, pair.Responder.Machine.Statistics.LiveStreams);
    }

    [Fact]
    public void Read_of_a_stream_cut_off_never_looks_finished()
    {
        SessionPair pair = new();
        pair.Responder.AutoRead = false;
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId reset));
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId open));
        _ = pair.Initiator.Machine.Write(reset, Bytes(1, 100));
        _ = pair.Initiator.Machine.Write(open, Bytes(1, 100));
        Assert.True(pair.RunUntil(() => pair.Responder.Has(SessionEffectKind.StreamReadable), Minute));

        pair.Initiator.Machine.Reset(reset, 5);
        pair.Run(TimeSpan.FromSeconds(1));
        Assert.Equal(0, pair.Responder.Machine.Read(pair.Now, reset, new byte[200], out bool resetFinished));
        pair.Initiator.Machine.Close(pair.Now, 1, "");
        pair.Run(TimeSpan.FromSeconds(1));
        Assert.Equal(0, pair.Responder.Machine.Read(pair.Now, open, new byte[200], out bool openFinished));

        Assert.False(resetFinished || openFinished);
    }

    [Fact]
    public void CloseWhenDelivered_ends_the_session_once_the_peer_has_all()
    {
        SessionPair pair = new();
        byte[] bytes = Bytes(3, 2_000_000);
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        Assert.Equal(bytes.Length, pair.Initiator.Machine.Write(id, bytes));
        pair.Initiator.Machine.Finish(id);

        pair.Initiator.Machine.CloseWhenDelivered(pair.Now, 9, "done");
        Assert.True(pair.RunUntil(() => pair.Responder.Has(SessionEffectKind.Closed), Minute));

        Assert.Equal(bytes, pair.Responder.Received[id.Value].ToArray());
        Assert.Equal(9UL, pair.Responder.Machine.CloseReason.Code);
    }

    [Fact]
    public void Handle_hundred_seeds_of_loss_reordering_duplication_and_rebinding_deliver_every_byte()
    {
        for (ulong seed = 1; seed <= 100; seed++)
        {
            SessionPair pair = new(seed, new Wire
            {
                Delay = TimeSpan.FromMilliseconds(5 + (seed % 40)),
                Jitter = TimeSpan.FromMilliseconds(seed % 20),
                Loss = 0.10,
                Duplication = 0.05,
            });
            Dictionary<ulong, byte[]> expected = [];
            for (int i = 0; i < 4; i++)
            {
                SessionMachine machine = i % 2 == 0 ? pair.Initiator.Machine : pair.Responder.Machine;
                Assert.True(machine.TryOpenStream(i < 2, out StreamId id));
                expected[id.Value] = Bytes(seed + (ulong)i, 60_000 + (i * 7_001));
                Assert.Equal(expected[id.Value].Length, machine.Write(id, expected[id.Value]));
                machine.Finish(id);
            }

            pair.Run(TimeSpan.FromMilliseconds(60 + (seed * 3)));

            // The NAT in front of one end gives it another port.
            SessionEnd moved = seed % 2 == 0 ? pair.Initiator : pair.Responder;
            moved.Address = moved.Address.WithPort(4_444);

            bool done = pair.RunUntil(
                () => expected.Keys.All(id => pair.Initiator.Finished.Contains(id) || pair.Responder.Finished.Contains(id)), 5 * Minute);
            Assert.True(done, $"seed {seed}: {pair.Initiator.Machine.Statistics} {pair.Responder.Machine.Statistics}");
            foreach ((ulong id, byte[] bytes) in expected)
            {
                MemoryStream received = pair.Initiator.Received.GetValueOrDefault(id) ?? pair.Responder.Received[id];
                Assert.True(bytes.AsSpan().SequenceEqual(received.ToArray()), $"seed {seed} stream {id}");
            }
        }
    }

    [Fact]
    public void HandleTimeout_hour_of_idling_stays_open_and_costs_little()
    {
        SessionPair pair = new();
        pair.Run(TimeSpan.FromHours(1));

        Assert.Equal(SessionState.Open, pair.Initiator.Machine.State);
        Assert.Equal(SessionState.Open, pair.Responder.Machine.State);
        Assert.InRange(pair.Transmissions, 2 * 3600 / 25, 4 * 3600 / 14);
    }

    [Fact]
    public void HandleTimeout_silence_ends_the_session_at_the_smaller_timeout()
    {
        SessionPair pair = new(options: new SessionOptions { KeepAlive = false });
        Assert.True(pair.RunUntil(() => pair.Initiator.Machine.State == SessionState.Closed, 2 * Minute));

        Assert.Equal(CloseKind.IdleTimeout, pair.Initiator.Machine.CloseReason.Kind);
        Assert.Equal(4, pair.Initiator.Effects.Count(effect => effect.Kind == SessionEffectKind.ConnectionIdRetired));
    }

    [Fact]
    public void Handle_replayed_handshake_ends_unconfirmed_without_a_packet()
    {
        SessionPair pair = new() { Passes = (_, _, _) => false };
        pair.Initiator.Machine.Dispose();
        Assert.True(pair.RunUntil(() => pair.Responder.Machine.State == SessionState.Closed, Minute));

        Assert.Equal(0, pair.Responder.Machine.Statistics.PacketsSent);
        Assert.False(pair.Responder.Has(SessionEffectKind.Confirmed));
    }

    [Theory]
    [InlineData(Core.Crypto.CipherSuite.ChaCha20Poly1305)]
    [InlineData(Core.Crypto.CipherSuite.Aegis128L)]
    public void Seal_many_key_updates_under_loss_and_reordering_lose_nothing(Core.Crypto.CipherSuite suite)
    {
        Assert.SkipUnless(Core.Crypto.CipherSuites.IsSupported(suite), "no hardware for it");
        SessionPair pair = new(
            3, new Wire { Loss = 0.02, Jitter = TimeSpan.FromMilliseconds(3), Duplication = 0.02 }, new SessionOptions { KeyUpdatePackets = 50 }, suite: suite);
        byte[] data = Bytes(9, 3_000_000);
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId up));
        Assert.True(pair.Responder.Machine.TryOpenStream(true, out StreamId down));
        Assert.Equal(data.Length, pair.Initiator.Machine.Write(up, data));
        Assert.Equal(data.Length, pair.Responder.Machine.Write(down, data));
        pair.Initiator.Machine.Finish(up);
        pair.Responder.Machine.Finish(down);

        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Contains(up.Value) && pair.Initiator.Finished.Contains(down.Value), 5 * Minute));

        Assert.Equal(data, pair.Responder.Received[up.Value].ToArray());
        Assert.Equal(data, pair.Initiator.Received[down.Value].ToArray());
        Assert.InRange(pair.Initiator.Machine.Statistics.KeyUpdates, 4, 1_000);
    }

    [Fact]
    public void TryOpenStream_thousand_streams_hundred_times_leak_nothing()
    {
        SessionPair pair = new(wire: new Wire { Delay = TimeSpan.FromMilliseconds(1) });
        byte[] word = [1, 2, 3];
        int finished = 0;
        for (int round = 0; round < 100; round++)
        {
            for (int i = 0; i < 1_000; i++)
            {
                StreamId id = default;
                Assert.True(pair.RunUntil(() => pair.Initiator.Machine.TryOpenStream(false, out id), Minute));
                Assert.Equal(3, pair.Initiator.Machine.Write(id, word));
                pair.Initiator.Machine.Finish(id);
            }

            pair.Run(TimeSpan.FromMilliseconds(100));
            finished += pair.Responder.Finished.Count;
            pair.Responder.Finished.Clear();
            pair.Responder.Received.Clear();
            pair.Responder.Effects.Clear();
            pair.Initiator.Effects.Clear();
        }

        Assert.Equal(100_000, finished);
        Assert.Equal(0, pair.Initiator.Machine.Statistics.LiveStreams + pair.Responder.Machine.Statistics.LiveStreams);
        Assert.Equal(0, pair.Initiator.Pool.Outstanding + pair.Responder.Pool.Outstanding);
    }

    [Fact]
    public void TryTransmit_streams_take_turns()
    {
        SessionPair pair = new();
        pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.Confirmed), Minute);
        StreamId[] ids = new StreamId[8];
        for (int i = 0; i < ids.Length; i++)
        {
            Assert.True(pair.Initiator.Machine.TryOpenStream(true, out ids[i]));
            pair.Initiator.Machine.Write(ids[i], Bytes(1, 500_000));
        }

        pair.RunUntil(() => pair.Responder.Received.Values.Sum(stream => stream.Length) > 1_000_000, Minute);

        long least = ids.Min(id => pair.Responder.Received[id.Value].Length);
        long most = ids.Max(id => pair.Responder.Received[id.Value].Length);
        Assert.InRange(most - least, 0, 60_000);
    }

    [Fact]
    public void Close_tells_the_peer_and_returns_every_buffer()
    {
        SessionPair pair = new();
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        pair.Initiator.Machine.Write(id, new byte[1_000_000]);
        pair.Responder.AutoRead = false;
        pair.Run(TimeSpan.FromMilliseconds(100));
        pair.Initiator.Machine.Close(pair.Now, 42, "done");
        Assert.True(pair.RunUntil(
            () => pair.Initiator.Machine.State == SessionState.Closed && pair.Responder.Machine.State == SessionState.Closed, Minute));

        Assert.Equal(new SessionClose(CloseKind.Application, 42, "done", true), pair.Responder.Machine.CloseReason);
        Assert.Equal(new SessionClose(CloseKind.Application, 42, "done", false), pair.Initiator.Machine.CloseReason);
        Assert.Equal(0, pair.Initiator.Pool.Outstanding + pair.Responder.Pool.Outstanding);
        Assert.Equal(0, pair.Initiator.Machine.Write(id, new byte[1]));
    }

    [Fact]
    public void Handle_steady_state_allocates_nothing()
    {
        SessionPair pair = new(options: new SessionOptions { MaxSendBufferBytes = 1 << 20 });
        pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.Confirmed), Minute);
        SessionMachine from = pair.Initiator.Machine, to = pair.Responder.Machine;
        Assert.True(from.TryOpenStream(true, out StreamId id));
        byte[] buffer = new byte[65_536], data = new byte[65_536];
        NetworkPath toPath = new(SessionPair.InitiatorAddress), fromPath = new(SessionPair.ResponderAddress);
        Instant now = pair.Now;
        Spin(6_000);
        long packets = to.Statistics.PacketsReceived;
        long allocated = AllocatedBytes.LeastOf(() => Spin(2_000));

        Assert.True(to.Statistics.PacketsReceived - packets >= 10_000);
        Assert.Equal(0, allocated);

        void Spin(int rounds)
        {
            for (int i = 0; i < rounds; i++)
            {
                now += TimeSpan.FromMicroseconds(300);
                from.Write(id, data);
                Carry(from, to, toPath);
                to.TryEffect(out _);
                while (to.Read(now, id, data, out _) > 0)
                {
                }

                Carry(to, from, fromPath);
                while (from.TryEffect(out _))
                {
                }
            }
        }

        void Carry(SessionMachine sender, SessionMachine receiver, NetworkPath path)
        {
            if (sender.NextDeadline <= now)
            {
                sender.HandleTimeout(now);
            }

            while (sender.TryTransmit(now, buffer, out Transmit transmit))
            {
                for (int at = 0; at < transmit.Bytes; at += transmit.SegmentBytes)
                {
                    receiver.Handle(now, path, buffer.AsSpan(at, Math.Min(transmit.SegmentBytes, transmit.Bytes - at)));
                }
            }
        }
    }

    private static byte[] Bytes(ulong seed, int length)
    {
        byte[] bytes = new byte[length];
        new SeededRandom(seed).Fill(bytes);
        return bytes;
    }
}
