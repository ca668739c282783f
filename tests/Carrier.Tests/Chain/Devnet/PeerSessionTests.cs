using Carrier.Chain.Primitives;
using Carrier.Chain.Spv;
using Carrier.Devnet.Peers;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>What a hostile peer can make the devnet do: hang up, and hold no more than its bounds.</summary>
public sealed class PeerSessionTests : IDisposable
{
    private const uint Magic = 2018299;

    private readonly RecordedChain _recorded = new();
    private readonly PeerSession _session;

    public PeerSessionTests()
    {
        _recorded.AdvanceTo(120);
        _session = new PeerSession(_recorded.Chain, Magic, nonce: 1);
    }

    public void Dispose() => _recorded.Dispose();

    [Theory]
    [InlineData("ping", 8)]
    [InlineData("getblocks", 36)]
    [InlineData("version", 34)]
    public void Handle_before_a_whole_version_ends_the_session(string command, int bytes)
    {
        Assert.False(Handle(command, new byte[bytes]));
        Assert.Empty(Frames());
    }

    [Fact]
    public void Handle_a_second_version_ends_the_session()
    {
        Greet();
        Assert.False(Handle("version", PeerMessages.Version(1, 2, 3)));
    }

    [Theory]
    [InlineData("ping", 7)]
    [InlineData("filterload", 3)]
    [InlineData("filteradd", 2)]
    [InlineData("getblocks", 3)]
    [InlineData("getdata", 3)]
    [InlineData("tx", 10)]
    public void Handle_payload_that_is_none_ends_the_session(string command, int bytes)
    {
        Greet();
        Assert.False(Handle(command, new byte[bytes]));
    }

    [Fact]
    public void Handle_a_filter_beyond_the_bounds_ends_the_session()
    {
        Greet();
        var writer = new ByteWriter();
        writer.WriteBytes(new byte[BloomFilter.MaxBytes]);
        writer.WriteUInt32(BloomFilter.MaxHashFunctions + 1);
        writer.WriteUInt32(0);
        writer.WriteByte(0);
        writer.WriteVarint(0);
        Assert.False(Handle("filterload", writer.ToArray()));
    }

    [Fact]
    public void Handle_more_wants_than_the_bound_ends_the_session()
    {
        Greet();
        Hash256[] hashes = [.. Enumerable.Repeat(_recorded.Chain.Tip.Header.Hash, PeerSession.MaxWanted + 1)];
        Assert.False(Handle("getdata", PeerMessages.Inventory(InventoryKind.Block, hashes)));
        Assert.Empty(Frames());
    }

    [Fact]
    public void TryTransmit_makes_one_answer_at_a_time()
    {
        Greet();
        Hash256[] hashes = [.. Enumerable.Repeat(_recorded[102].Header.Hash, PeerSession.MaxWanted)];
        Assert.True(Handle("getdata", PeerMessages.Inventory(InventoryKind.Block, hashes)));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(_session.TryTransmit(out ReadOnlyMemory<byte> first));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, first.Length, 40 * first.Length);
        Assert.False(Handle("getdata", PeerMessages.Inventory(InventoryKind.Block, hashes))); // not before the last was answered
        Assert.Equal(PeerSession.MaxWanted - 1, Frames().Count);
    }

    [Fact]
    public void Announce_to_a_peer_that_takes_nothing_in_stops_at_the_bound()
    {
        Greet();
        for (int i = 0; i < PeerSession.MaxAnnouncements + 500; i++)
        {
            _session.Announce(_recorded.Chain.Tip.Header.Hash);
        }

        Assert.Equal(PeerSession.MaxAnnouncements, Frames().Count);
    }

    [Fact]
    public void Handle_getdata_for_a_filtered_block_without_a_filter_answers_nothing()
    {
        Greet();
        Assert.True(Handle("getdata", PeerMessages.Inventory(InventoryKind.FilteredBlock, _recorded.Chain.Tip.Header.Hash)));
        Assert.Empty(Frames());
    }

    [Fact]
    public void Handle_getblocks_at_the_tip_answers_nothing()
    {
        Greet();
        Assert.True(Handle("getblocks", PeerMessages.GetBlocks([_recorded.Chain.Tip.Header.Hash], default)));
        Assert.Empty(Frames());
    }

    private void Greet()
    {
        Assert.True(Handle("version", PeerMessages.Version(1, 2, 3)));
        Assert.Equal(["version", "verack"], Frames());
    }

    private bool Handle(string command, byte[] payload) => _session.Handle(command, payload, RecordedChain.Now);

    private List<string> Frames()
    {
        List<string> commands = [];
        while (_session.TryTransmit(out ReadOnlyMemory<byte> frame))
        {
            Assert.Equal(FrameReading.Read, PeerFrame.TryReadHeader(frame.Span, Magic, out string command, out _));
            commands.Add(command);
        }

        return commands;
    }
}
