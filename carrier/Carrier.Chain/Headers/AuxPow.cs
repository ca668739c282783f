using System.Buffers.Binary;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Headers;

/// <summary>A merged-mining proof: a parent header with enough work, whose coinbase commits to this block. Views into the bytes; nothing is allocated.</summary>
/// <remarks>
/// <code>
///  coinbase   a Bitcoin transaction: version 4 | varint n × ( outpoint 36 | bytes script | sequence 4 ) | varint n × ( value 8 | bytes script ) | lock time 4
///  parent hash 32             redundant and never looked at, as the nodes do
///  varint n, n × hash 32      coinbase branch | index 4
///  varint n, n × hash 32      aux branch | aux index 4
///  parent header 80           merkle root at 36
///
///  the coinbase's first script:  … fabe6d6d | commitment 32 | size 4 | nonce 4 …
/// </code>
/// The commitment is the <i>byte-reversed</i> block hash folded with the aux branch, reversed again.
/// </remarks>
public readonly ref struct AuxPow
{
    /// <summary>Chain id of the ELA main chain: chooses its slot in the aux merkle tree.</summary>
    public const uint ChainId = 1224;

    /// <summary>Longest branch: indexes have 32 bits.</summary>
    public const int MaxBranch = 32;

    /// <summary>Most inputs or outputs of a parent coinbase: far above what pools pay out to at once.</summary>
    public const int MaxCoinBaseItems = 100_000;

    /// <summary>Longest script in a parent coinbase.</summary>
    public const int MaxScriptBytes = 1 << 16;

    private const int ParentHeaderBytes = 80;
    private const int OutPointBytes = 36;
    private const int ParentMerkleRoot = 36;

    private AuxPow(ReadOnlySpan<byte> coinBase, ReadOnlySpan<byte> script, Branch coinBaseBranch, Branch auxBranch, ReadOnlySpan<byte> parent)
    {
        CoinBase = coinBase;
        Script = script;
        CoinBaseBranch = coinBaseBranch;
        AuxBranch = auxBranch;
        ParentHeader = parent;
    }

    /// <summary>The parent's coinbase transaction.</summary>
    public ReadOnlySpan<byte> CoinBase { get; }

    /// <summary>The script of its first input; empty when it has none.</summary>
    public ReadOnlySpan<byte> Script { get; }

    public Branch CoinBaseBranch { get; }

    public Branch AuxBranch { get; }

    public ReadOnlySpan<byte> ParentHeader { get; }

    private static ReadOnlySpan<byte> MagicBytes => [0xFA, 0xBE, 0x6D, 0x6D];

    /// <summary>Reads a proof that others follow.</summary>
    public static bool TryRead(scoped ref ByteReader reader, out AuxPow proof)
    {
        proof = default;
        int start = reader.Position;
        if (!TryReadCoinBase(ref reader, out ReadOnlySpan<byte> script))
        {
            return false;
        }

        ReadOnlySpan<byte> coinBase = reader.Since(start);
        if (!reader.TryReadSpan(Hash256.Bytes, out _)
            || !TryReadBranch(ref reader, out Branch coinBaseBranch)
            || !TryReadBranch(ref reader, out Branch auxBranch)
            || !reader.TryReadSpan(ParentHeaderBytes, out ReadOnlySpan<byte> parent))
        {
            return false;
        }

        proof = new AuxPow(coinBase, script, coinBaseBranch, auxBranch, parent);
        return true;
    }

    /// <summary>Reads exactly one proof.</summary>
    public static bool TryParse(ReadOnlySpan<byte> encoded, out AuxPow proof)
    {
        var reader = new ByteReader(encoded);
        return TryRead(ref reader, out proof) && reader.AtEnd;
    }

    /// <summary>The slot of a chain in an aux merkle tree of 2^<paramref name="depth"/> leaves.</summary>
    public static uint ExpectedIndex(uint nonce, uint chainId, int depth)
    {
        uint slot = unchecked((nonce * 1103515245) + 12345);
        slot = unchecked(slot + chainId);
        slot = unchecked((slot * 1103515245) + 12345);
        return depth >= 32 ? slot : slot % (1u << depth);
    }

    /// <summary>Judges the proof for a block: every rule in its order, the work last. <paramref name="target"/> is that of the block's bits.</summary>
    public HeaderRule Check(in Hash256 blockHash, in Hash256 target)
    {
        HeaderRule rule = CheckCommitment(blockHash);
        if (rule != HeaderRule.None)
        {
            return rule;
        }

        return Hash256.DoubleSha256(ParentHeader) <= target ? HeaderRule.None : HeaderRule.ProofOfWork;
    }

    private static bool TryReadCoinBase(scoped ref ByteReader reader, out ReadOnlySpan<byte> firstScript)
    {
        firstScript = default;
        if (!reader.TryReadUInt32(out _) || !reader.TryReadCount(MaxCoinBaseItems, OutPointBytes + 1 + sizeof(uint), out int inputs))
        {
            return false;
        }

        for (int i = 0; i < inputs; i++)
        {
            if (!reader.TryReadSpan(OutPointBytes, out _) || !reader.TryReadBytes(MaxScriptBytes, out ReadOnlySpan<byte> script) || !reader.TryReadUInt32(out _))
            {
                return false;
            }

            firstScript = i == 0 ? script : firstScript;
        }

        if (!reader.TryReadCount(MaxCoinBaseItems, sizeof(ulong) + 1, out int outputs))
        {
            return false;
        }

        for (int i = 0; i < outputs; i++)
        {
            if (!reader.TryReadUInt64(out _) || !reader.TryReadBytes(MaxScriptBytes, out _))
            {
                return false;
            }
        }

        return reader.TryReadUInt32(out _);
    }

    private static bool TryReadBranch(scoped ref ByteReader reader, out Branch branch)
    {
        branch = default;
        if (!reader.TryReadCount(MaxBranch, Hash256.Bytes, out int depth)
            || !reader.TryReadSpan(depth * Hash256.Bytes, out ReadOnlySpan<byte> hashes)
            || !reader.TryReadUInt32(out uint index))
        {
            return false;
        }

        branch = new Branch(hashes, index);
        return true;
    }

    private HeaderRule CheckCommitment(in Hash256 blockHash)
    {
        if (CoinBaseBranch.Fold(Hash256.DoubleSha256(CoinBase)) != new Hash256(ParentHeader[ParentMerkleRoot..(ParentMerkleRoot + Hash256.Bytes)]))
        {
            return HeaderRule.CoinBaseMerkle;
        }

        int magic = Script.IndexOf(MagicBytes);
        if (magic < 0)
        {
            return HeaderRule.NoMagic;
        }

        Span<byte> commitment = stackalloc byte[Hash256.Bytes];
        AuxBranch.Fold(blockHash.Reversed()).Reversed().CopyTo(commitment);
        int committed = Script.IndexOf(commitment);
        if (committed < 0)
        {
            return HeaderRule.NoCommitment;
        }

        if (Script[(magic + 1)..].IndexOf(MagicBytes) >= 0)
        {
            return HeaderRule.TwoMagics;
        }

        if (committed != magic + MagicBytes.Length)
        {
            return HeaderRule.CommitmentNotAfterMagic;
        }

        ReadOnlySpan<byte> tail = Script[(committed + Hash256.Bytes)..];
        if (tail.Length < 2 * sizeof(uint))
        {
            return HeaderRule.ShortScript;
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(tail) != 1UL << AuxBranch.Depth)
        {
            return HeaderRule.SizeField;
        }

        uint nonce = BinaryPrimitives.ReadUInt32LittleEndian(tail[sizeof(uint)..]);
        return AuxBranch.Index == ExpectedIndex(nonce, ChainId, AuxBranch.Depth) ? HeaderRule.None : HeaderRule.AuxIndex;
    }

    /// <summary>A merkle branch as it lies in the proof.</summary>
    public readonly ref struct Branch(ReadOnlySpan<byte> hashes, uint index)
    {
        private readonly ReadOnlySpan<byte> _hashes = hashes;

        public uint Index { get; } = index;

        public int Depth => _hashes.Length / Hash256.Bytes;

        /// <summary>The root above <paramref name="leaf"/>: each bit of the index says on which side the branch's hash stands.</summary>
        public Hash256 Fold(Hash256 leaf)
        {
            uint place = Index;
            for (ReadOnlySpan<byte> rest = _hashes; !rest.IsEmpty; rest = rest[Hash256.Bytes..], place >>= 1)
            {
                var sibling = new Hash256(rest[..Hash256.Bytes]);
                leaf = (place & 1) == 0 ? Hash256.Join(leaf, sibling) : Hash256.Join(sibling, leaf);
            }

            return leaf;
        }
    }
}
