using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Spv;

/// <summary>Writes what <see cref="MerkleBlock"/> reads: the part of a block's tree that leads to some of its transactions (BIP 37).</summary>
public static class PartialMerkleTree
{
    /// <summary>A <c>merkleblock</c> payload.</summary>
    /// <param name="header">Of the block.</param>
    /// <param name="proof">Its merged-mining proof.</param>
    /// <param name="ids">All its transactions, in order.</param>
    /// <param name="matched">Which of them are proved.</param>
    public static byte[] Encode(in BlockHeader header, ReadOnlySpan<byte> proof, ReadOnlySpan<Hash256> ids, ReadOnlySpan<bool> matched)
    {
        ArgumentOutOfRangeException.ThrowIfZero(ids.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(matched.Length, ids.Length);
        List<Hash256> hashes = [];
        List<bool> flags = [];
        Descend(MerkleTree.Depth(ids.Length), 0, ids, matched, hashes, flags);

        var writer = new ByteWriter();
        Span<byte> core = stackalloc byte[BlockHeader.Bytes];
        header.CopyTo(core);
        writer.WriteSpan(core);
        writer.WriteSpan(proof);
        writer.WriteByte(BlockHeader.Tail);
        writer.WriteUInt32((uint)ids.Length);
        writer.WriteUInt32((uint)hashes.Count);
        foreach (Hash256 hash in hashes)
        {
            writer.WriteHash(hash);
        }

        byte[] bits = new byte[(flags.Count + 7) / 8];
        for (int i = 0; i < flags.Count; i++)
        {
            bits[i / 8] |= (byte)(flags[i] ? 1 << (i % 8) : 0);
        }

        writer.WriteBytes(bits);
        return writer.ToArray();
    }

    /// <summary>Notes a node and what is below it; a node above no match is its hash alone.</summary>
    private static void Descend(int level, int place, ReadOnlySpan<Hash256> ids, ReadOnlySpan<bool> matched, List<Hash256> hashes, List<bool> flags)
    {
        int first = place << level;
        int count = Math.Min(1 << level, ids.Length - first);
        bool isAbove = matched.Slice(first, count).Contains(true);
        flags.Add(isAbove);
        if (level == 0 || !isAbove)
        {
            hashes.Add(HashAt(level, place, ids));
            return;
        }

        Descend(level - 1, place * 2, ids, matched, hashes, flags);
        if (first + (1 << (level - 1)) < ids.Length)
        {
            Descend(level - 1, (place * 2) + 1, ids, matched, hashes, flags);
        }
    }

    private static Hash256 HashAt(int level, int place, ReadOnlySpan<Hash256> ids)
    {
        if (level == 0)
        {
            return ids[place];
        }

        Hash256 left = HashAt(level - 1, place * 2, ids);
        int right = (place * 2) + 1;
        return Hash256.Join(left, right << (level - 1) < ids.Length ? HashAt(level - 1, right, ids) : left);
    }
}
