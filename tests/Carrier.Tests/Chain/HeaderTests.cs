using System.Text.Json;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Core;

namespace Carrier.Tests.Chain;

public class HeaderTests
{
    private static readonly UnixTime Later = new(1_900_000_000);

    public static TheoryData<string> BadHeaders => Names("bad_headers");

    public static TheoryData<string> BadProofs => [.. ChainVectors.Headers.GetProperty("bad_auxpows").GetProperty("cases").EnumerateArray().Select(c => c.Text("name"))];

    public static TheoryData<string> UnusualProofs => Names("unusual_but_valid_auxpows");

    public static TheoryData<string> Genesis => ["mainnet", "testnet", "regnet"];

    [Fact]
    public void Recorded_headers_read_and_hash_as_recorded()
    {
        foreach (JsonElement entry in ChainVectors.Headers.GetProperty("headers").EnumerateArray().Append(ChainVectors.Confirms.GetProperty("mainnet_header_123")))
        {
            byte[] core = entry.Hex("core");
            Assert.True(BlockHeader.TryRead(core, out BlockHeader header));
            Assert.Equal(entry.Text("hash"), header.Hash.ToString());
            Assert.Equal(entry.Text("hash_internal"), header.Hash.ToInternalString());
            Assert.Equal(entry.Text("previous"), header.Previous.ToString());
            Assert.Equal(entry.Text("merkle_root"), header.MerkleRoot.ToString());
            Assert.Equal(entry.Number("timestamp"), header.Timestamp);
            Assert.Equal(entry.Number("bits"), header.Bits);
            Assert.Equal(entry.Number("height"), header.Height);
            byte[] again = new byte[BlockHeader.Bytes];
            header.CopyTo(again);
            Assert.Equal(core, again);

            Assert.True(Difficulty.TryToTarget(header.Bits, out Hash256 target));
            Assert.Equal(entry.Text("target"), target.ToString());
            Assert.True(AuxPow.TryParse(entry.Hex("auxpow"), out AuxPow proof));
            JsonElement fields = entry.GetProperty("auxpow_fields");
            Assert.Equal(fields.Text("script"), Convert.ToHexStringLower(proof.Script));
            Assert.Equal(fields.Text("parent_coinbase_tx"), Convert.ToHexStringLower(proof.CoinBase));
            Assert.Equal(fields.Text("parent_pow_hash"), Hash256.DoubleSha256(proof.ParentHeader).ToString());
            Assert.Equal(fields.GetProperty("aux_branch").GetArrayLength(), proof.AuxBranch.Depth);
            Assert.Equal(fields.GetProperty("coinbase_branch").GetArrayLength(), proof.CoinBaseBranch.Depth);
            Assert.Equal(HeaderRule.None, proof.Check(header.Hash, target));
        }
    }

    [Theory]
    [MemberData(nameof(BadHeaders))]
    public void Bad_header_is_refused_for_its_reason(string name)
    {
        JsonElement bad = ChainVectors.Headers.GetProperty("bad_headers").EnumerateArray().Single(entry => entry.Text("name") == name);
        JsonElement context = ChainVectors.Headers.GetProperty("bad_headers_context");
        HeaderChain chain = RecordedChain((uint)context.Number("prev_height"));
        Assert.Equal(context.Text("prev_hash"), chain.Tip.Hash.ToString());
        var now = new UnixTime(context.Number("now"));

        Assert.Equal(bad.Text("rule"), chain.Check(chain.Tip, bad.Hex("core"), bad.Hex("auxpow"), now).Name());
        Assert.NotEqual(HeaderStep.Extended, chain.Add(bad.Hex("core"), bad.Hex("auxpow"), now).Step);
        Assert.Equal(context.Text("prev_hash"), chain.Tip.Hash.ToString());
        Assert.Equal(HeaderRule.None, chain.Check(chain.Tip, context.Hex("good_core"), context.Hex("good_auxpow"), now));
        Assert.Equal(HeaderStep.Extended, chain.Add(context.Hex("good_core"), context.Hex("good_auxpow"), now).Step);
    }

    [Theory]
    [MemberData(nameof(BadProofs))]
    public void Bad_proof_is_refused_for_its_reason(string name)
    {
        JsonElement group = ChainVectors.Headers.GetProperty("bad_auxpows");
        JsonElement bad = group.GetProperty("cases").EnumerateArray().Single(entry => entry.Text("name") == name);
        Assert.Equal(bad.Text("rule"), CheckProof(group.Hex("core"), bad.Hex("auxpow")).Name());
        Assert.Equal(HeaderRule.None, CheckProof(group.Hex("core"), group.Hex("good_auxpow")));
    }

    [Theory]
    [MemberData(nameof(UnusualProofs))]
    public void Unusual_proof_is_accepted_as_the_node_did(string name)
    {
        JsonElement entry = ChainVectors.Headers.GetProperty("unusual_but_valid_auxpows").EnumerateArray().Single(e => e.Text("name") == name);
        byte[] raw = ChainVectors.Chain[(int)entry.Number("height")].Hex("raw");
        Assert.Equal(HeaderRule.None, CheckProof(raw[..BlockHeader.Bytes], entry.Hex("auxpow")));
    }

    [Theory]
    [MemberData(nameof(Genesis))]
    public void Genesis_is_built_from_its_foundation(string name)
    {
        JsonElement entry = ChainVectors.Confirms.GetProperty("genesis").GetProperty(name);
        ChainNetwork network = name switch { "mainnet" => ChainNetwork.Main, "testnet" => ChainNetwork.Test, _ => ChainNetwork.Reg };
        Assert.Equal(entry.Text("hash"), network.Genesis.Hash.ToString());
        Assert.True(ProgramHash.TryParse(entry.Text("foundation_address"), out ProgramHash foundation));
        var transactions = Carrier.Chain.Networks.Genesis.Transactions(foundation);
        Assert.Equal(entry.Text("coinbase_txid"), transactions[0].Id.ToString());
        Assert.Equal(BlockReading.Read, Block.TryParse(entry.Hex("raw_block"), out Block? block));
        Assert.Equal(block!.Header, network.Genesis);
        Assert.Equal(block.Transactions, transactions);
    }

    [Fact]
    public void Recorded_chain_begins_at_the_payers_genesis_and_reaches_its_last_hash()
    {
        HeaderChain chain = RecordedChain(uint.MaxValue);
        Assert.Equal(ChainVectors.Chain[^1].Text("hash"), chain.Tip.Hash.ToString());
        Assert.Equal(ChainVectors.Chain[0].Text("hash"), Network().Genesis.Hash.ToString());
    }

    [Fact]
    public void Recorded_blocks_read_and_encode_byte_for_byte()
    {
        foreach (JsonElement entry in ChainVectors.Chain)
        {
            byte[] raw = entry.Hex("raw");
            Assert.Equal(BlockReading.Read, Block.TryParse(raw, out Block? block));
            Assert.Equal(entry.Number("tx_count"), block!.Transactions.Length);
            Assert.Equal(entry.Text("hash"), block.Header.Hash.ToString());
            Assert.Equal(raw, block.Encode());
            for (int i = 0; i < block.Transactions.Length; i++)
            {
                Assert.True(block.BranchOf(i).Proves(block.Transactions[i].Id, block.Header.MerkleRoot));
            }
        }
    }

    [Fact]
    public void Bad_blocks_are_refused()
    {
        foreach (JsonElement entry in ChainVectors.Headers.GetProperty("bad_blocks").EnumerateArray())
        {
            Assert.Equal("merkle", entry.Text("rule"));
            Assert.Equal(BlockReading.Merkle, Block.TryParse(entry.Hex("raw"), out _));
        }
    }

    [Fact]
    public void Merkle_branches_prove_what_they_should_and_nothing_else()
    {
        foreach (JsonElement entry in ChainVectors.Headers.GetProperty("merkle_branches").EnumerateArray())
        {
            Assert.True(BranchOf(entry).Proves(entry.Hash("txid"), entry.Hash("merkle_root")));
        }

        foreach (JsonElement entry in ChainVectors.Headers.GetProperty("bad_merkle_branches").EnumerateArray())
        {
            Assert.False(BranchOf(entry).Proves(entry.Hash("txid"), entry.Hash("merkle_root")), entry.Text("name"));
        }
    }

    [Fact]
    public void Proofs_survive_every_truncation_and_bit_flip()
    {
        byte[] core = ChainVectors.Chain[19].Hex("raw")[..BlockHeader.Bytes];
        byte[] proof = ChainVectors.Headers.GetProperty("headers").EnumerateArray().Single(e => e.Number("height") == 19).Hex("auxpow");
        for (int length = 0; length < proof.Length; length++)
        {
            Assert.False(AuxPow.TryParse(proof.AsSpan(0, length), out _));
        }

        int accepted = 0;
        for (int bit = 0; bit < proof.Length * 8; bit++)
        {
            byte[] flipped = [.. proof];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            accepted += AuxPow.TryParse(flipped, out _) && CheckProof(core, flipped) == HeaderRule.None ? 1 : 0;
        }

        // The redundant parent hash (256 bits) and the parts of the parent header that the work leaves free (on this chain every other nonce has enough).
        Assert.InRange(accepted, 256, 256 + (44 * 8));
    }

    /// <summary>Whom the genesis block of the recorded chain pays.</summary>
    internal const string Foundation = "ET1M8dqYHUy1tXE69R2kD4bzVzjWSFBArT";

    internal static ChainNetwork Network() =>
        ChainNetwork.Private("devnet", ProgramHash.TryParse(Foundation, out ProgramHash payer) ? payer : default);

    /// <summary>The recorded chain up to a height, every header judged.</summary>
    internal static HeaderChain RecordedChain(uint upTo)
    {
        ChainNetwork network = Network();
        var chain = new HeaderChain(network, HeaderAnchor.AtGenesis(network.Genesis));
        foreach (JsonElement entry in ChainVectors.Chain.Skip(1).TakeWhile(entry => entry.Number("height") <= upTo))
        {
            (byte[] core, byte[] proof) = Split(entry.Hex("raw"));
            HeaderVerdict verdict = chain.Add(core, proof, Later);
            Assert.True(verdict.Step == HeaderStep.Extended, $"{entry.Number("height")}: {verdict.Rule.Name()}");
        }

        return chain;
    }

    internal static (byte[] Core, byte[] Proof) Split(byte[] block)
    {
        var reader = new ByteReader(block);
        Assert.True(BlockHeader.TryReadWithProof(ref reader, out _, out ReadOnlySpan<byte> proof));
        return (block[..BlockHeader.Bytes], proof.ToArray());
    }

    private static HeaderRule CheckProof(byte[] core, byte[] proof)
    {
        Assert.True(BlockHeader.TryRead(core, out BlockHeader header));
        Assert.True(Difficulty.TryToTarget(header.Bits, out Hash256 target));
        return AuxPow.TryParse(proof, out AuxPow pow) ? pow.Check(header.Hash, target) : HeaderRule.Parse;
    }

    private static MerkleBranch BranchOf(JsonElement entry) => new(
        (int)entry.Number("tx_count"),
        (int)entry.Number("index"),
        [.. entry.GetProperty("branch_internal").EnumerateArray().Select(hash => ChainVectors.InternalHash(hash.GetString()!))]);

    private static TheoryData<string> Names(string group) => [.. ChainVectors.Headers.GetProperty(group).EnumerateArray().Select(entry => entry.Text("name"))];
}
