using System.Collections.Immutable;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Spv;

/// <summary>A header, and the part of its merkle tree that leads to the transactions a filter matched (BIP 37).</summary>
/// <remarks>
/// <code>
///  header with proof and tail | transaction count 4 | hash count 4 × hash 32 | bytes flags
/// </code>
/// Depth first, a flag a node: 1 above or at a match, then its children follow; 0 a hash that stands for all below. Every hash and every flag bit must be used,
/// and the root must be the header's.
/// </remarks>
public sealed record MerkleBlock(BlockHeader Header, ReadOnlyMemory<byte> Proof, int TransactionCount, ImmutableArray<MatchedTransaction> Matches)
{
    public static bool TryParse(ReadOnlySpan<byte> payload, out MerkleBlock? block)
    {
        block = null;
        var reader = new ByteReader(payload);
        if (!BlockHeader.TryReadWithProof(ref reader, out BlockHeader header, out ReadOnlySpan<byte> proof)
            || !reader.TryReadUInt32(out uint transactions) || transactions is 0 or > MerkleTree.MaxTransactions
            || !reader.TryReadUInt32(out uint count) || count > transactions || !reader.TryReadSpan((int)count * Hash256.Bytes, out ReadOnlySpan<byte> hashes)
            || !reader.TryReadBytes(2 * MerkleTree.MaxTransactions, out ReadOnlySpan<byte> flags) || !reader.AtEnd)
        {
            return false;
        }

        var walk = new Walk(hashes, flags, (int)transactions);
        Hash256 root = walk.Descend(MerkleTree.Depth((int)transactions), 0);
        if (walk.Failed || !walk.UsedEverything || root != header.MerkleRoot)
        {
            return false;
        }

        block = new MerkleBlock(header, proof.ToArray(), (int)transactions, walk.Matches());
        return true;
    }

    private ref struct Walk(ReadOnlySpan<byte> hashes, ReadOnlySpan<byte> flags, int transactions)
    {
        private readonly ReadOnlySpan<byte> _hashes = hashes;
        private readonly ReadOnlySpan<byte> _flags = flags;
        private readonly List<(Hash256 Id, int Index, List<Hash256> Branch)> _matches = [];
        private int _hash;
        private int _flag;

        public bool Failed { get; private set; }

        public readonly ImmutableArray<MatchedTransaction> Matches()
        {
            int count = transactions;
            return [.. _matches.Select(match => new MatchedTransaction(match.Id, new MerkleBranch(count, match.Index, [.. match.Branch])))];
        }

        /// <summary>All hashes taken, all flag bytes begun, and the rest of the last one zero.</summary>
        public readonly bool UsedEverything =>
            _hash == _hashes.Length / Hash256.Bytes
            && (_flag + 7) / 8 == _flags.Length
            && (_flag % 8 == 0 || _flags[^1] >> (_flag % 8) == 0);

        /// <summary>The hash of a node; at most 15 levels deep, for no block has more transactions.</summary>
        public Hash256 Descend(int level, int place)
        {
            if (Failed || _flag >= _flags.Length * 8)
            {
                Failed = true;
                return default;
            }

            bool set = (_flags[_flag / 8] & (1 << (_flag % 8))) != 0;
            _flag++;
            if (level == 0 || !set)
            {
                Hash256 hash = Take();
                if (level == 0 && set)
                {
                    _matches.Add((hash, place, []));
                }

                return hash;
            }

            int first = _matches.Count;
            Hash256 left = Descend(level - 1, place * 2);
            int middle = _matches.Count;
            bool hasRight = (place * 2) + 1 < (transactions + (1 << (level - 1)) - 1) >> (level - 1);
            Hash256 right = hasRight ? Descend(level - 1, (place * 2) + 1) : left;
            // Two equal children would let a doubled tail pose as more transactions (CVE-2012-2459).
            Failed |= hasRight && left == right;
            for (int i = first; i < _matches.Count; i++)
            {
                _matches[i].Branch.Add(i < middle ? right : left);
            }

            return Hash256.Join(left, right);
        }

        private Hash256 Take()
        {
            if ((_hash + 1) * Hash256.Bytes > _hashes.Length)
            {
                Failed = true;
                return default;
            }

            return new Hash256(_hashes.Slice(_hash++ * Hash256.Bytes, Hash256.Bytes));
        }
    }
}

/// <summary>A transaction proved to be in a block, and the branch that proves it.</summary>
public readonly record struct MatchedTransaction(Hash256 Id, MerkleBranch Branch)
{
    public int Index => Branch.Index;
}
