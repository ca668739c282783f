using System.Numerics;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Blocks;

/// <summary>The merkle tree over the transaction ids of a block: SHA256d of pairs, the last one doubled at odd levels; a single id is the root.</summary>
public static class MerkleTree
{
    /// <summary>Transactions a block may hold.</summary>
    public const int MaxTransactions = 10_000;

    /// <summary>Levels above the leaves: the length of every branch in a block of <paramref name="transactionCount"/>.</summary>
    public static int Depth(int transactionCount) => transactionCount <= 1 ? 0 : BitOperations.Log2((uint)transactionCount - 1) + 1;

    public static Hash256 Root(params ReadOnlySpan<Hash256> ids)
    {
        if (ids.IsEmpty)
        {
            return default;
        }

        Hash256[] level = [.. ids];
        for (int width = ids.Length; width > 1;)
        {
            width = Fold(level, width);
        }

        return level[0];
    }

    /// <summary>The branch that proves the id at <paramref name="index"/>.</summary>
    public static MerkleBranch Branch(ReadOnlySpan<Hash256> ids, int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)ids.Length);
        List<Hash256> hashes = [];
        Hash256[] level = [.. ids];
        int place = index;
        for (int width = ids.Length; width > 1; place >>= 1)
        {
            hashes.Add(level[Math.Min(place ^ 1, width - 1)]);
            width = Fold(level, width);
        }

        return new MerkleBranch(ids.Length, index, [.. hashes]);
    }

    private static int Fold(Hash256[] level, int width)
    {
        int above = (width + 1) / 2;
        for (int i = 0; i < above; i++)
        {
            level[i] = Hash256.Join(level[2 * i], level[Math.Min((2 * i) + 1, width - 1)]);
        }

        return above;
    }
}
