using System.Text.Json;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Dpos;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Tests.Chain;

public class ConfirmTests
{
    public static TheoryData<string> Cases => [.. ChainVectors.Confirms.GetProperty("cases").EnumerateArray().Select(entry => entry.Text("name"))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Recorded_confirm_gets_the_nodes_verdict(string name)
    {
        JsonElement entry = ChainVectors.Confirms.GetProperty("cases").EnumerateArray().Single(e => e.Text("name") == name);
        Assert.Equal(entry.Text("rule"), Check(entry).Name());
    }

    [Fact]
    public void Confirm_made_by_the_node_is_accepted() => Assert.Equal(ConfirmRule.None, Check(ChainVectors.Confirms.GetProperty("node_vector")));

    [Fact]
    public void Confirm_survives_every_truncation_and_random_bit_flips()
    {
        JsonElement entry = ChainVectors.Confirms.GetProperty("node_vector");
        byte[] confirm = entry.Hex("confirm");
        for (int length = 0; length < confirm.Length; length++)
        {
            Assert.False(Confirm.TryParse(confirm.AsSpan(0, length), out _));
        }

        ArbiterSet arbiters = Arbiters(entry);
        Hash256 block = ChainVectors.InternalHash(entry.Text("block_hash_internal"));
        for (int bit = 0; bit < confirm.Length * 8; bit += 7)
        {
            byte[] flipped = [.. confirm];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(ConfirmRule.None, Confirm.Check(flipped, block, arbiters));
        }
    }

    [Fact]
    public void Next_turn_announcement_is_read_and_followed()
    {
        JsonElement entry = ChainVectors.Confirms.GetProperty("next_turn_transaction");
        Transaction announcement = ChainVectors.Parse(entry.Hex("raw"));
        Assert.Equal(entry.Text("txid"), announcement.Id.ToString());
        Assert.Equal(entry.Hex("raw"), announcement.Encode());
        Assert.True(ArbiterSet.TryRead(announcement, out ArbiterSet? next));
        Assert.Equal(entry.Number("working_height"), next!.From);
        Assert.Equal(entry.GetProperty("dpos_public_keys").GetArrayLength(), next.Seats);

        var schedule = new ArbiterSchedule(new ArbiterSet(0, 1, [RedeemScriptTests.Key("alice").PublicKey]));
        var header = new BlockHeader(0, default, MerkleTree.Root(announcement.Id), 0, 0, 0, Height: 90);
        var proved = new ProvedTransaction(announcement, header, default, new MerkleBranch(1, 0, []));
        Assert.False(schedule.Wants(proved with { Branch = new MerkleBranch(2, 0, [default]) }));
        Assert.False(schedule.Wants(proved with { Header = header with { Height = 101 } })); // for a height that has passed
        Assert.True(schedule.Wants(proved));
        schedule.Apply(90, [proved]);
        Assert.False(schedule.TryGet(100, out _)); // nobody looked that far
        schedule.Apply(120, []);
        Assert.True(schedule.TryGet(99, out ArbiterSet? before));
        Assert.Equal(1, before!.Seats);
        Assert.True(schedule.TryGet(100, out ArbiterSet? after));
        Assert.Equal(next.Keys.Order(KeyOrder), after!.Keys.Order(KeyOrder));
        Assert.False(schedule.TryGet(121, out _));

        schedule.Rewind(89);
        schedule.Apply(120, []);
        Assert.True(schedule.TryGet(100, out ArbiterSet? rewound));
        Assert.Equal(1, rewound!.Seats);
    }

    private static Comparer<OwnerPublicKey> KeyOrder => Comparer<OwnerPublicKey>.Create((a, b) => a.Span.SequenceCompareTo(b.Span));

    private static ConfirmRule Check(JsonElement entry) =>
        Confirm.Check(entry.Hex("confirm"), ChainVectors.InternalHash(entry.Text("block_hash_internal")), Arbiters(entry));

    private static ArbiterSet Arbiters(JsonElement entry)
    {
        OwnerPublicKey[] keys = [.. entry.GetProperty("arbiters").EnumerateArray().Select(key =>
            OwnerPublicKey.TryFromBytes(Convert.FromHexString(key.GetString()!), out OwnerPublicKey read) ? read : default)];
        return new ArbiterSet(0, keys.Length, keys);
    }
}
