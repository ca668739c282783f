using System.Buffers.Binary;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Headers;

/// <summary>Makes merged-mining proofs for chains whose blocks are made at once: the devnet, tests and benchmarks. On a real target it would mine for ever.</summary>
public static class AuxPowBuilder
{
    private const int ParentHeaderBytes = 80;
    private const int NonceAt = 76;

    /// <summary>A proof for a block hash, committed in an aux tree of 2^<paramref name="auxDepth"/> leaves, its coinbase below a branch of
    /// <paramref name="coinBaseDepth"/>.</summary>
    public static byte[] Build(Hash256 blockHash, uint bits, uint timestamp, int auxDepth = 0, int coinBaseDepth = 0, uint auxNonce = 0)
    {
        if (!Difficulty.TryToTarget(bits, out Hash256 target))
        {
            throw new ArgumentOutOfRangeException(nameof(bits), "These bits have no target.");
        }

        uint slot = AuxPow.ExpectedIndex(auxNonce, AuxPow.ChainId, auxDepth);
        Hash256[] auxBranch = [.. Enumerable.Range(0, auxDepth).Select(level => Hash256.Sha256([(byte)'a', (byte)level]))];
        Hash256[] coinBaseBranch = [.. Enumerable.Range(0, coinBaseDepth).Select(level => Hash256.Sha256([(byte)'c', (byte)level]))];
        Hash256 commitment = Fold(blockHash.Reversed(), auxBranch, slot).Reversed();

        byte[] coinBase = CoinBase(commitment, 1u << auxDepth, auxNonce);
        byte[] parent = new byte[ParentHeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(parent, 0x7FFF_FFFF);
        Fold(Hash256.DoubleSha256(coinBase), coinBaseBranch, 0).CopyTo(parent.AsSpan(36));
        BinaryPrimitives.WriteUInt32LittleEndian(parent.AsSpan(68), timestamp);
        for (uint nonce = 0; Hash256.DoubleSha256(parent) > target; nonce++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(parent.AsSpan(NonceAt), nonce);
        }

        var proof = new ByteWriter();
        proof.WriteSpan(coinBase);
        proof.WriteHash(Hash256.DoubleSha256(parent));
        WriteBranch(proof, coinBaseBranch, 0);
        WriteBranch(proof, auxBranch, slot);
        proof.WriteSpan(parent);
        return proof.ToArray();
    }

    private static byte[] CoinBase(Hash256 commitment, uint size, uint nonce)
    {
        var script = new ByteWriter();
        script.WriteSpan([0xFA, 0xBE, 0x6D, 0x6D]);
        script.WriteHash(commitment);
        script.WriteUInt32(size);
        script.WriteUInt32(nonce);

        var coinBase = new ByteWriter();
        coinBase.WriteUInt32(1);
        coinBase.WriteVarint(1);
        coinBase.WriteHash(default);
        coinBase.WriteUInt32(uint.MaxValue);
        coinBase.WriteBytes(script.Written);
        coinBase.WriteUInt32(uint.MaxValue);
        coinBase.WriteVarint(0);
        coinBase.WriteUInt32(0);
        return coinBase.ToArray();
    }

    private static Hash256 Fold(Hash256 leaf, Hash256[] branch, uint index)
    {
        foreach (Hash256 sibling in branch)
        {
            leaf = (index & 1) == 0 ? Hash256.Join(leaf, sibling) : Hash256.Join(sibling, leaf);
            index >>= 1;
        }

        return leaf;
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
