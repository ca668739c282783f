using System.Buffers.Binary;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;

namespace Carrier.Devnet.Blocks;

/// <summary>Makes merged-mining proofs: a parent coinbase that commits to the block, and a parent header with enough work.</summary>
/// <remarks>At regnet's difficulty every second parent header is good. The layout is that of <see cref="AuxPow"/>.</remarks>
public static class AuxPowMiner
{
    /// <summary>The longest aux branch made: enough for tests of every depth a client may meet.</summary>
    public const int MaxDepth = 16;

    private const int ParentHeaderBytes = 80;
    private const int ParentRootOffset = 36;
    private const int ParentTimeOffset = 68;
    private const int ParentNonceOffset = 76;

    /// <summary>Mines a proof for the block <paramref name="blockHash"/>.</summary>
    /// <param name="blockHash">Of the header to be proved.</param>
    /// <param name="target">The parent's hash must not be above it.</param>
    /// <param name="timestamp">Of the parent; without meaning for the chain.</param>
    /// <param name="depth">Length of the aux branch: how many other chains are mined beside this one, as a power of two.</param>
    /// <param name="coinBaseDepth">Length of the coinbase branch: how many transactions the parent block has, as a power of two.</param>
    /// <param name="auxNonce">Picks this chain's slot in the aux tree.</param>
    public static byte[] Mine(Hash256 blockHash, Hash256 target, uint timestamp, int depth = 0, int coinBaseDepth = 0, uint auxNonce = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(depth, MaxDepth);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(coinBaseDepth, MaxDepth);
        Hash256[] auxBranch = Filler(depth, 1);
        Hash256[] coinBaseBranch = Filler(coinBaseDepth, 2);
        uint auxIndex = AuxPow.ExpectedIndex(auxNonce, AuxPow.ChainId, depth);
        byte[] coinBase = CoinBase(Fold(blockHash.Reversed(), auxBranch, auxIndex).Reversed(), depth, auxNonce);
        byte[] parent = new byte[ParentHeaderBytes];
        parent[0] = 1;
        Fold(Hash256.DoubleSha256(coinBase), coinBaseBranch, 0).CopyTo(parent.AsSpan(ParentRootOffset));
        BinaryPrimitives.WriteUInt32LittleEndian(parent.AsSpan(ParentTimeOffset), timestamp);
        for (uint nonce = 0; Hash256.DoubleSha256(parent) > target; nonce++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(parent.AsSpan(ParentNonceOffset), nonce);
        }

        return Encode(coinBase, coinBaseBranch, auxBranch, auxIndex, parent);
    }

    private static Hash256[] Filler(int depth, byte kind)
    {
        var branch = new Hash256[depth];
        for (int i = 0; i < depth; i++)
        {
            branch[i] = Hash256.Sha256([kind, (byte)i]);
        }

        return branch;
    }

    private static Hash256 Fold(Hash256 hash, Hash256[] branch, uint index)
    {
        foreach (Hash256 other in branch)
        {
            hash = (index & 1) == 0 ? Hash256.Join(hash, other) : Hash256.Join(other, hash);
            index >>= 1;
        }

        return hash;
    }

    /// <summary>A Bitcoin transaction of one input, whose script is the commitment, and one empty output.</summary>
    private static byte[] CoinBase(Hash256 commitment, int depth, uint auxNonce)
    {
        var script = new ByteWriter();
        script.WriteSpan([0xFA, 0xBE, 0x6D, 0x6D]);
        script.WriteHash(commitment);
        script.WriteUInt32(1u << depth);
        script.WriteUInt32(auxNonce);

        var writer = new ByteWriter();
        writer.WriteUInt32(1);
        writer.WriteVarint(1);
        writer.WriteSpan(new byte[Hash256.Bytes]);
        writer.WriteUInt32(uint.MaxValue);
        writer.WriteBytes(script.Written);
        writer.WriteUInt32(uint.MaxValue);
        writer.WriteVarint(1);
        writer.WriteUInt64(0);
        writer.WriteBytes([]);
        writer.WriteUInt32(0);
        return writer.ToArray();
    }

    private static byte[] Encode(byte[] coinBase, Hash256[] coinBaseBranch, Hash256[] auxBranch, uint auxIndex, byte[] parent)
    {
        var writer = new ByteWriter();
        writer.WriteSpan(coinBase);
        writer.WriteHash(Hash256.DoubleSha256(parent));
        WriteBranch(writer, coinBaseBranch, 0);
        WriteBranch(writer, auxBranch, auxIndex);
        writer.WriteSpan(parent);
        return writer.ToArray();
    }

    private static void WriteBranch(ByteWriter writer, Hash256[] branch, uint index)
    {
        writer.WriteVarint((ulong)branch.Length);
        foreach (Hash256 hash in branch)
        {
            writer.WriteHash(hash);
        }

        writer.WriteUInt32(index);
    }
}
