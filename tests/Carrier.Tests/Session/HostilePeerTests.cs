using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Streams;

namespace Carrier.Tests.Session;

/// <summary>The "Session transport" rows of the threat list: what an authenticated but hostile peer, or a stranger who captures packets, can do.</summary>
public sealed class HostilePeerTests
{
    private static readonly Endpoint Stranger = SessionPair.Parse("198.51.100.200:5555");

    [Theory]
    [InlineData(FrameType.MaxStreamData, 1UL, 5UL, CloseCode.StreamState)] // our stream, never opened
    [InlineData(FrameType.StopSending, 2UL, 5UL, CloseCode.StreamState)] // the peer's one-way stream has no sending half of ours
    [InlineData(FrameType.StopSending, 4UL * 4_000_000, 0UL, CloseCode.StreamLimit)]
    [InlineData(FrameType.MaxStreamsBidirectional, (1UL << 60) + 1, null, CloseCode.FrameEncoding)]
    [InlineData(FrameType.RetireConnectionId, 4UL, null, CloseCode.ProtocolViolation)] // never issued
    [InlineData(FrameType.RetireConnectionId, 0UL, null, CloseCode.ProtocolViolation)] // the id the packet came to
    [InlineData((FrameType)0x03, 0UL, null, CloseCode.FrameEncoding)] // unknown types
    [InlineData((FrameType)0x3F, 0UL, null, CloseCode.FrameEncoding)]
    [InlineData((FrameType)0x4000, 0UL, null, CloseCode.FrameEncoding)]
    public void Handle_forbidden_frame_closes_with_its_code(FrameType type, ulong first, ulong? second, CloseCode expected)
    {
        using HostilePeer peer = new(new SessionPair());
        peer.Send(second is { } value ? HostilePeer.Numbers(type, first, value) : HostilePeer.Numbers(type, first));
        Assert.Equal(expected, peer.ClosedWith);
    }

    [Fact]
    public void Handle_stream_bearing_frames_beyond_any_limit_close()
    {
        (byte[] Frame, CloseCode Code)[] cases =
        [
            (HostilePeer.Stream(4UL * 4_000_000, 0, [1]), CloseCode.StreamLimit),
            (HostilePeer.Stream(0, 1 << 20, [1]), CloseCode.FlowControl),
            (HostilePeer.Stream(0, (1UL << 62) - 2, [1]), CloseCode.FlowControl),
            (HostilePeer.Stream(0, (1UL << 62) - 1, [1]), CloseCode.FrameEncoding),
            (HostilePeer.Numbers(FrameType.ResetStream, 0, 0, 1UL << 40), CloseCode.FlowControl),
            (HostilePeer.Numbers(FrameType.ResetStream, 4UL * 4_000_000, 0, 0), CloseCode.StreamLimit),
            ([.. HostilePeer.Stream(0, 0, [1, 2], fin: true), .. HostilePeer.Stream(0, 2, [3])], CloseCode.FinalSize),
            ([.. HostilePeer.Stream(0, 5, [1]), .. HostilePeer.Numbers(FrameType.ResetStream, 0, 0, 3)], CloseCode.FinalSize),
            (HostilePeer.Stream(3, 0, [1]), CloseCode.StreamState),
        ];
        foreach ((byte[] frame, CloseCode code) in cases)
        {
            using HostilePeer peer = new(new SessionPair());
            peer.Send(frame);
            Assert.Equal(code, peer.ClosedWith);
            Assert.Equal(0, peer.Victim.Pool.Outstanding);
        }
    }

    [Fact]
    public void Handle_session_window_is_enforced_over_many_streams()
    {
        using HostilePeer peer = new(new SessionPair());
        peer.Victim.AutoRead = false;
        ulong stream = 0;
        while (peer.ClosedWith is null && stream < 10)
        {
            peer.Send(HostilePeer.Stream(4 * stream++, (1 << 20) - 1, [1]));
        }

        Assert.Equal(CloseCode.FlowControl, peer.ClosedWith);
        Assert.Equal(2UL, stream);
    }

    [Fact]
    public void Handle_new_connection_id_flood_closes_at_the_limit()
    {
        using HostilePeer peer = new(new SessionPair());
        for (ulong i = 1; i <= 3; i++)
        {
            peer.Send(HostilePeer.NewId(i, 100 + i));
            peer.Send(HostilePeer.NewId(i, 100 + i));
        }

        Assert.Null(peer.ClosedWith);
        peer.Send(HostilePeer.NewId(4, 104));
        Assert.Equal(CloseCode.ConnectionIdLimit, peer.ClosedWith);
    }

    [Fact]
    public void Handle_million_hostile_frames_with_acks_withheld_keep_memory_flat()
    {
        using HostilePeer peer = new(new SessionPair());
        peer.Listen();
        long allocated = 0;
        byte[] frames = [.. HostilePeer.Challenge(1), .. HostilePeer.Numbers(FrameType.MaxData, 5), .. HostilePeer.Challenge(2)];
        byte[] many = [.. Enumerable.Repeat(frames, 40).SelectMany(x => x)];
        for (int i = 0; i < 10_000; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            peer.Send(many);
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            if (i % 16 == 0)
            {
                peer.Listen();
            }
        }

        Assert.Null(peer.ClosedWith);
        Assert.InRange(peer.VictimFrames.Count(frame => frame.Type == FrameType.PathResponse), 600, 700);
        Assert.InRange(allocated, 0, 10_000);
    }

    [Fact]
    public void Handle_retirement_flood_is_bounded()
    {
        using HostilePeer peer = new(new SessionPair());
        for (ulong sequence = 1; sequence < 1_000 && peer.ClosedWith is null; sequence++)
        {
            peer.Send(HostilePeer.Numbers(FrameType.RetireConnectionId, sequence));
        }

        // Effects nobody drains and ids nobody acknowledges: pending work stops at its limit.
        Assert.Equal(CloseCode.ResourceLimit, peer.ClosedWith);
    }

    [Fact]
    public void Handle_ack_of_unsent_or_skipped_numbers_closes()
    {
        using HostilePeer unsent = new(new SessionPair());
        unsent.Send(HostilePeer.Numbers(FrameType.Ack, 1_000_000, 0, 0, 0));
        Assert.Equal(CloseCode.ProtocolViolation, unsent.ClosedWith);

        using HostilePeer optimist = new(new SessionPair(options: new SessionOptions { SkipNumberEvery = 4 }));
        Assert.True(optimist.Victim.Machine.TryOpenStream(true, out StreamId id));
        optimist.Victim.Machine.Write(id, new byte[30_000]);
        optimist.Listen();
        ulong largest = optimist.VictimNumbers.Max();
        Assert.NotEqual((int)largest + 1, optimist.VictimNumbers.Count);
        optimist.Send(HostilePeer.Numbers(FrameType.Ack, largest, 0, 0, largest));
        Assert.Equal(CloseCode.ProtocolViolation, optimist.ClosedWith);
    }

    [Fact]
    public void Handle_packets_in_the_worst_order_cost_bounded_ranges()
    {
        using HostilePeer peer = new(new SessionPair());
        for (int i = 0; i < 2_000; i++)
        {
            peer.NextNumber = (ulong)(i % 2 == 0 ? 10 + i : 20_000 - i);
            peer.Send([(byte)FrameType.Ping]);
        }

        peer.Listen();
        Assert.Null(peer.ClosedWith);
        Assert.Contains(peer.VictimFrames, frame => frame.Type == FrameType.Ack);
        Assert.InRange(peer.SentTo[SessionPair.InitiatorAddress], 1, 20_000);
    }

    [Fact]
    public void Handle_one_byte_at_every_other_offset_is_bounded_and_not_acknowledged()
    {
        using HostilePeer peer = new(new SessionPair());
        for (ulong offset = 1; offset < 20_000; offset += 2)
        {
            peer.Send(HostilePeer.Stream(0, offset, [1]));
        }

        Assert.Null(peer.ClosedWith);
        Assert.True(peer.Victim.Drops[DropReason.Full] > 1_000);
        Assert.InRange(peer.Victim.Pool.Outstanding, 1, 2);
    }

    [Fact]
    public void Handle_replayed_packet_from_a_stranger_changes_nothing()
    {
        using HostilePeer peer = new(new SessionPair());
        byte[] packet = peer.Build([(byte)FrameType.Ping]).ToArray();
        peer.Victim.Machine.Handle(peer.Pair.Now, peer.From, (byte[])packet.Clone());
        peer.Victim.Machine.Handle(peer.Pair.Now, new NetworkPath(Stranger), packet);
        peer.Wait(TimeSpan.FromSeconds(5));

        Assert.Equal(1, peer.Victim.Drops[DropReason.Replayed]);
        Assert.Equal(1, peer.Victim.Machine.Statistics.PathsKnown);
        Assert.DoesNotContain(Stranger, peer.SentTo.Keys);
    }

    [Fact]
    public void Handle_packet_from_a_new_address_earns_probes_only()
    {
        using HostilePeer peer = new(new SessionPair());
        Assert.True(peer.Victim.Machine.TryOpenStream(true, out StreamId id));
        peer.Victim.Machine.Write(id, new byte[1_000_000]);
        int length = peer.Build([(byte)FrameType.Ping]).Length;
        peer.NextNumber--;
        peer.From = new NetworkPath(Stranger);
        peer.Send([(byte)FrameType.Ping]);
        peer.Wait(TimeSpan.FromSeconds(20));

        Assert.Equal(SessionPair.InitiatorAddress, peer.Victim.Machine.Path.Remote);
        Assert.InRange(peer.SentTo[Stranger], 1, 3 * length);
        Assert.Equal(1, peer.Victim.Machine.Statistics.PathsKnown);
    }

    [Theory]
    [InlineData("127.0.0.1:22")]
    [InlineData("192.168.1.1:80")]
    [InlineData("169.254.169.254:80")]
    [InlineData("0.0.0.0:80")]
    [InlineData("[::1]:80")]
    [InlineData("[64:ff9b::7f00:1]:80")]
    [InlineData("8.8.8.8:0")]
    public void Handle_peer_cannot_lead_us_to_nearer_scopes(string address)
    {
        using HostilePeer peer = new(new SessionPair());
        Endpoint endpoint = SessionPair.Parse(address);
        byte[] frame = new byte[64];
        FrameWriter writer = new(frame);
        Assert.True(writer.TryWriteCandidates([endpoint]));
        peer.Send(frame.AsSpan(0, writer.Length));
        peer.From = new NetworkPath(endpoint);
        peer.Send([(byte)FrameType.Ping]);
        peer.Wait(TimeSpan.FromSeconds(5));

        Assert.Null(peer.ClosedWith);
        Assert.DoesNotContain(endpoint, peer.SentTo.Keys);
        Assert.Equal(1, peer.Victim.Machine.Statistics.PathsKnown);
    }

    [Fact]
    public void Handle_candidate_flood_is_rate_limited()
    {
        using HostilePeer peer = new(new SessionPair());
        byte[] frame = new byte[64];
        for (int i = 0; i < 1_000; i++)
        {
            FrameWriter writer = new(frame);
            Assert.True(writer.TryWriteCandidates([Endpoint.FromIPv4(0x08080000 + (uint)i, 53)]));
            peer.Send(frame.AsSpan(0, writer.Length));
            peer.Listen();
        }

        peer.Wait(TimeSpan.FromSeconds(20));
        peer.SentTo.Remove(SessionPair.InitiatorAddress);
        Assert.InRange(peer.SentTo.Count, 1, 16);
        Assert.All(peer.SentTo.Values, bytes => Assert.InRange(bytes, 1, 500));
    }

    [Fact]
    public void TryReset_only_the_true_token_ends_the_session()
    {
        SessionPair pair = new();
        byte[] reset = new byte[SessionPacket.ResetBytes];
        ResetToken token = ResetToken.Derive(SessionPair.ResetKey, pair.ResponderId);
        for (int bit = 0; bit < 8 * ResetToken.Bytes; bit++)
        {
            SessionPacket.WriteReset(reset, pair.ResponderId, token);
            reset[1 + ConnectionId.Bytes + (bit / 8)] ^= (byte)(1 << (bit % 8));
            Assert.False(pair.Initiator.Machine.TryReset(reset));
        }

        SessionPacket.WriteReset(reset, new ConnectionId(5), token);
        Assert.False(pair.Initiator.Machine.TryReset(reset));
        SessionPacket.WriteReset(reset, pair.ResponderId, token);
        Assert.True(pair.Initiator.Machine.TryReset(reset));
        Assert.Equal(CloseKind.StatelessReset, pair.Initiator.Machine.CloseReason.Kind);
        Assert.Equal(SessionState.Closed, pair.Initiator.Machine.State);
    }

    [Fact]
    public void Handle_forged_and_flipped_packets_change_nothing()
    {
        using HostilePeer peer = new(new SessionPair());
        byte[] golden = peer.Build(HostilePeer.Stream(0, 0, [1, 2, 3])).ToArray();
        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            byte[] flipped = (byte[])golden.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            peer.Victim.Machine.Handle(peer.Pair.Now, peer.From, flipped);
        }

        for (int length = 0; length < golden.Length; length++)
        {
            peer.Victim.Machine.Handle(peer.Pair.Now, peer.From, golden.AsSpan(0, length).ToArray());
        }

        Assert.Equal(golden.Length * 9, peer.Victim.Drops.Total());
        Assert.Equal(0, peer.Victim.Machine.Statistics.KeyUpdates);
        Assert.Equal(0, peer.Victim.Machine.Statistics.LiveStreams);
        peer.Victim.Machine.Handle(peer.Pair.Now, peer.From, golden);
        Assert.Equal(1, peer.Victim.Machine.Statistics.LiveStreams);
    }

    [Fact]
    public void Handle_random_frames_never_throw_and_every_end_returns_its_slabs()
    {
        SeededRandom random = new(99);
        byte[] frames = new byte[400];
        for (int round = 0; round < 3_000; round++)
        {
            SlabPool pool;
            using (HostilePeer peer = new(new SessionPair((ulong)round + 1)))
            {
                pool = peer.Victim.Pool;
                for (int i = 0; i < 4; i++)
                {
                    int length = 1 + random.NextInt32(frames.Length - 1);
                    random.Fill(frames.AsSpan(0, length));
                    frames[0] &= 0x3F;
                    peer.Send(frames.AsSpan(0, length));
                }

                while (peer.Victim.Machine.TryEffect(out _))
                {
                }

                peer.Victim.Machine.Dispose();
                while (peer.Victim.Machine.TryEffect(out _))
                {
                }
            }

            Assert.Equal(0, pool.Outstanding);
        }
    }

    [Fact]
    public void Handle_every_frame_in_every_state_obeys_the_table()
    {
        for (ulong value = 0; value < 0x40; value++)
        {
            FrameType type = (FrameType)value;
            Assert.Equal(FrameRules.IsKnown(type), FrameRules.IsAllowed(type, SessionState.Open));
            bool isClose = type is FrameType.Close or FrameType.ApplicationClose;
            Assert.Equal(isClose, FrameRules.IsAllowed(type, SessionState.Closing));
            Assert.False(FrameRules.IsAllowed(type, SessionState.Unconfirmed));
            Assert.False(FrameRules.IsAllowed(type, SessionState.Draining));
            Assert.False(FrameRules.IsAllowed(type, SessionState.Closed));

            foreach (SessionState state in new[] { SessionState.Closing, SessionState.Draining, SessionState.Closed })
            {
                using HostilePeer peer = new(new SessionPair());
                if (state == SessionState.Draining)
                {
                    peer.Send(HostilePeer.Numbers(FrameType.Close, 0, 0));
                }
                else
                {
                    peer.Victim.Machine.Close(peer.Pair.Now, 1, "");
                }

                if (state == SessionState.Closed)
                {
                    peer.Victim.Machine.Dispose();
                }

                SessionClose reason = peer.Victim.Machine.CloseReason;
                peer.Send([(byte)value, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                SessionState expected = state == SessionState.Closing && isClose ? SessionState.Draining : state;
                Assert.Equal(expected, peer.Victim.Machine.State);
                Assert.Equal(reason, peer.Victim.Machine.CloseReason);
                Assert.Equal(0, peer.Victim.Pool.Outstanding);
            }
        }
    }

    [Fact]
    public void Handle_never_acknowledging_peer_gets_a_window_and_no_more()
    {
        using HostilePeer peer = new(new SessionPair());
        Assert.True(peer.Victim.Machine.TryOpenStream(true, out StreamId id));
        peer.Victim.Machine.Write(id, new byte[4_000_000]);
        peer.Listen();
        Assert.InRange(peer.SentTo[SessionPair.InitiatorAddress], 10_000, 20_000);
        peer.Wait(TimeSpan.FromMinutes(3));
        Assert.Equal(SessionState.Closed, peer.Victim.Machine.State);
        Assert.Equal(CloseKind.IdleTimeout, peer.Victim.Machine.CloseReason.Kind);
        Assert.InRange(peer.SentTo[SessionPair.InitiatorAddress], 10_000, 80_000);
    }

    [Fact]
    public void Handle_packets_while_closing_are_answered_ever_more_rarely()
    {
        using HostilePeer peer = new(new SessionPair());
        peer.Victim.Machine.Close(peer.Pair.Now, 1, "");
        peer.Listen();
        for (int i = 0; i < 1_000; i++)
        {
            peer.Send([(byte)FrameType.Ping]);
            peer.Listen();
        }

        Assert.InRange(peer.VictimFrames.Count(frame => frame.Type == FrameType.ApplicationClose), 2, 12);
    }
}
