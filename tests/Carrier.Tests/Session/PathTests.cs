using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Session.Streams;

namespace Carrier.Tests.Session;

public sealed class PathTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public void AddCandidatePath_direct_beats_the_relay_and_no_byte_is_lost()
    {
        SessionPair pair = new(relayed: true);
        byte[] data = new byte[2_000_000];
        pair.Random.Fill(data);
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        pair.Initiator.Machine.Write(id, data);
        pair.Initiator.Machine.Finish(id);
        pair.Run(TimeSpan.FromMilliseconds(100));
        Assert.True(pair.Initiator.Machine.Path.IsRelayed);

        Punch(pair);
        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Contains(id.Value), Minute));
        pair.Run(TimeSpan.FromSeconds(1));

        Assert.Equal(SessionPair.ResponderAddress, pair.Initiator.Machine.Path.Remote);
        Assert.Equal(SessionPair.InitiatorAddress, pair.Responder.Machine.Path.Remote);
        Assert.True(pair.Initiator.Has(SessionEffectKind.PathChanged));
        Assert.Equal(data, pair.Responder.Received[id.Value].ToArray());
        Assert.True(pair.Initiator.Machine.PeerId != pair.ResponderId);
    }

    [Fact]
    public void Advertise_candidates_alone_make_both_sides_punch()
    {
        SessionPair pair = new(relayed: true);
        pair.Initiator.Machine.Advertise([SessionPair.InitiatorAddress]);
        pair.Responder.Machine.Advertise([SessionPair.ResponderAddress]);

        Assert.True(pair.RunUntil(
            () => !pair.Initiator.Machine.Path.IsRelayed && !pair.Responder.Machine.Path.IsRelayed, TimeSpan.FromSeconds(1)));
        pair.Run(TimeSpan.FromSeconds(1));
        Assert.Contains(
            pair.Responder.Effects, e => e.Kind == SessionEffectKind.AddressObserved && e.Path.Remote == SessionPair.ResponderAddress);
    }

    [Fact]
    public void HandleTimeout_dead_direct_path_falls_back_to_the_relay_and_returns()
    {
        SessionPair pair = new(relayed: true);
        Punch(pair);
        Assert.True(pair.RunUntil(() => !pair.Initiator.Machine.Path.IsRelayed && !pair.Responder.Machine.Path.IsRelayed, Minute));

        // Two minutes in, the relay path must still be alive.
        pair.Run(2 * Minute);
        byte[] data = new byte[1_000_000];
        pair.Random.Fill(data);
        Assert.True(pair.Responder.Machine.TryOpenStream(true, out StreamId id));
        pair.Responder.Machine.Write(id, data);
        pair.Responder.Machine.Finish(id);
        pair.Run(TimeSpan.FromMilliseconds(45));
        pair.Passes = (_, path, _) => path.IsRelayed;
        Assert.True(pair.RunUntil(() => pair.Initiator.Finished.Contains(id.Value), Minute));
        Assert.True(pair.Initiator.Machine.Path.IsRelayed);
        Assert.Equal(data, pair.Initiator.Received[id.Value].ToArray());

        pair.Passes = (_, _, _) => true;
        Punch(pair);
        Assert.True(pair.RunUntil(() => !pair.Initiator.Machine.Path.IsRelayed && !pair.Responder.Machine.Path.IsRelayed, Minute));
    }

    [Fact]
    public void Handle_rebinding_of_either_end_is_followed()
    {
        foreach (bool initiator in new[] { true, false })
        {
            SessionPair pair = new();
            Assert.True(pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.Confirmed), Minute));
            SessionEnd moved = initiator ? pair.Initiator : pair.Responder;
            moved.Address = SessionPair.Parse("198.51.100.77:7777");
            Assert.True(moved.Machine.TryOpenStream(true, out StreamId id));
            moved.Machine.Write(id, new byte[1_000]);

            Assert.True(pair.RunUntil(() => pair.Other(moved).Machine.Path.Remote == moved.Address, TimeSpan.FromSeconds(1)));
            Assert.True(pair.Other(moved).Has(SessionEffectKind.PathChanged));
        }
    }

    /// <summary>An address that was proven, carried megabytes and was left is owed the probes that prove it again: three bytes for one must not count the megabytes.</summary>
    [Fact]
    public void Handle_peer_that_comes_back_to_an_address_is_proven_there_again_at_once()
    {
        SessionPair pair = new();
        Assert.True(pair.RunUntil(() => pair.Initiator.Has(SessionEffectKind.Confirmed), Minute));
        Endpoint[] addresses = [SessionPair.Parse("198.51.100.77:7777"), SessionPair.InitiatorAddress];
        for (int i = 0; i < 6; i++)
        {
            pair.Initiator.Address = addresses[i % 2];
            Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId up));
            pair.Initiator.Machine.Write(up, new byte[10]);
            pair.Initiator.Machine.Finish(up);
            Assert.True(pair.Responder.Machine.TryOpenStream(true, out StreamId id));
            pair.Responder.Machine.Write(id, new byte[1_000_000]);
            pair.Responder.Machine.Finish(id);
            Assert.True(pair.RunUntil(() => pair.Responder.Machine.Path.Remote == addresses[i % 2], TimeSpan.FromSeconds(1)), $"move {i}");
            Assert.True(pair.RunUntil(() => pair.Initiator.Finished.Contains(id.Value), Minute));
        }
    }

    [Theory]
    [InlineData(1_500, 1_452)]
    [InlineData(1_400, 1_372)]
    [InlineData(1_200, 1_200)]
    public void TryTransmit_searches_the_path_mtu_without_calling_its_probes_lost(int pathBytes, int found)
    {
        SessionPair pair = new() { Passes = (_, _, length) => length <= pathBytes };
        SendSome(pair);
        pair.Run(TimeSpan.FromSeconds(10));

        Assert.Equal(found, pair.Initiator.Machine.Statistics.PacketBytes);
        Assert.Equal(0, pair.Initiator.Machine.Statistics.PacketsLost);
    }

    [Fact]
    public void TryTransmit_searches_no_path_mtu_for_a_session_that_says_little()
    {
        SessionPair pair = new();
        int largest = 0;
        pair.Sent = (_, _, packet) => largest = Math.Max(largest, packet.Length);
        pair.Run(TimeSpan.FromSeconds(60));
        Assert.InRange(largest, 1, 1_200);
    }

    [Fact]
    public void HandleTimeout_black_hole_brings_packets_back_to_the_base()
    {
        SessionPair pair = new();
        SendSome(pair);
        pair.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(1_452, pair.Initiator.Machine.Statistics.PacketBytes);
        pair.Passes = (_, _, length) => length <= 1_200;
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        pair.Initiator.Machine.Write(id, new byte[100_000]);
        pair.Initiator.Machine.Finish(id);

        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Contains(id.Value), Minute));
        Assert.Equal(1_200, pair.Initiator.Machine.Statistics.PacketBytes);
    }

    [Fact]
    public void TryTransmit_relayed_segments_leave_room_for_their_header_and_never_exceed_the_base()
    {
        SessionPair pair = new(relayed: true);
        int largest = 0;
        pair.Sent = (_, _, packet) => largest = Math.Max(largest, packet.Length);
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        pair.Initiator.Machine.Write(id, new byte[500_000]);
        pair.Initiator.Machine.Finish(id);
        Assert.True(pair.RunUntil(() => pair.Responder.Finished.Contains(id.Value), Minute));
        Assert.Equal(1_200, largest);
    }

    [Fact]
    public void AddCandidatePath_dead_candidates_are_given_up()
    {
        SessionPair pair = new();
        for (ushort port = 1; port <= 20; port++)
        {
            pair.Initiator.Machine.AddCandidatePath(pair.Now, new NetworkPath(SessionPair.Parse("203.0.113.99:1").WithPort(port)));
        }

        Assert.Equal(8, pair.Initiator.Machine.Statistics.PathsKnown);
        int probes = 0;
        pair.Sent = (_, path, _) => probes += path.Remote == SessionPair.Parse("203.0.113.99:20") ? 1 : 0;
        pair.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(1, pair.Initiator.Machine.Statistics.PathsKnown);
        Assert.Equal(9, probes);
    }

    [Fact]
    public void AddCandidatePath_newer_channel_of_a_relay_replaces_the_older_one()
    {
        SessionPair pair = new();
        Endpoint relay = SessionPair.Parse("203.0.113.99:4242");
        for (ulong channel = 1; channel <= 20; channel++)
        {
            pair.Initiator.Machine.AddCandidatePath(pair.Now, new NetworkPath(relay, channel));
        }

        pair.Initiator.Machine.AddCandidatePath(pair.Now, new NetworkPath(SessionPair.Parse("203.0.113.98:4242"), 1));

        Assert.Equal(3, pair.Initiator.Machine.Statistics.PathsKnown); // the one in use and one of each relay
        List<NetworkPath> probed = [];
        pair.Sent = (_, path, _) => probed.Add(path);
        pair.Run(TimeSpan.FromMilliseconds(100));
        Assert.All(probed, path => Assert.True(path.Remote != relay || path.RelayChannel == 20));
        Assert.Contains(probed, path => path.Remote == relay);
    }

    private static void Punch(SessionPair pair)
    {
        pair.Initiator.Machine.AddCandidatePath(pair.Now, new NetworkPath(SessionPair.ResponderAddress));
        pair.Responder.Machine.AddCandidatePath(pair.Now, new NetworkPath(SessionPair.InitiatorAddress));
    }

    // Enough that larger packets are worth looking for.
    private static void SendSome(SessionPair pair)
    {
        Assert.True(pair.Initiator.Machine.TryOpenStream(true, out StreamId id));
        pair.Initiator.Machine.Write(id, new byte[20_000]);
    }
}
