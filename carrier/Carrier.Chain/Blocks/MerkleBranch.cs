using System.Collections.Immutable;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Blocks;

/// <summary>Proves that a transaction is in a block: the hashes beside its path, from the leaf up.</summary>
/// <param name="TransactionCount">How many the block holds. Without it an inner node could pose as a transaction: the branch must have exactly the depth
/// of a tree that wide, and the index must be within it.</param>
/// <param name="Index">The transaction's place.</param>
/// <param name="Hashes">One for each level.</param>
public sealed record MerkleBranch(int TransactionCount, int Index, ImmutableArray<Hash256> Hashes)
{
    /// <summary>True when <paramref name="id"/> is at <see cref="Index"/> in a block with this root.</summary>
    public bool Proves(Hash256 id, Hash256 root)
    {
        if (TransactionCount is < 1 or > MerkleTree.MaxTransactions || Index < 0 || Index >= TransactionCount || Hashes.Length != MerkleTree.Depth(TransactionCount))
        {
            return false;
        }

        int place = Index;
        int width = TransactionCount;
        foreach (Hash256 sibling in Hashes)
        {
            // The last of an odd level is its own sibling; any other claim there is a second proof of the same place.
            if (place == width - 1 && (width & 1) == 1 && sibling != id)
            {
                return false;
            }

            id = (place & 1) == 0 ? Hash256.Join(id, sibling) : Hash256.Join(sibling, id);
            place >>= 1;
            width = (width + 1) / 2;
        }

        return id == root;
    }

    public bool Equals(MerkleBranch? other) =>
        other is not null && TransactionCount == other.TransactionCount && Index == other.Index && Hashes.AsSpan().SequenceEqual(other.Hashes.AsSpan());

    public override int GetHashCode() => HashCode.Combine(TransactionCount, Index);
}
