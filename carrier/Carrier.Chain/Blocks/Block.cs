using System.Collections.Immutable;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Blocks;

/// <summary>A block whose transactions fit its header. The header itself is judged elsewhere.</summary>
/// <remarks>
/// <code>
///  header with proof and tail | transaction count 4 | transactions
/// </code>
/// </remarks>
public sealed record Block(BlockHeader Header, ReadOnlyMemory<byte> Proof, ImmutableArray<Transaction> Transactions)
{
    /// <summary>Longest block read: the greatest transaction and room for the rest.</summary>
    public const int MaxBytes = 10_000_000;

    /// <summary>Reads exactly one block and recomputes its merkle root.</summary>
    public static BlockReading TryParse(ReadOnlySpan<byte> encoded, out Block? block)
    {
        var reader = new ByteReader(encoded);
        BlockReading reading = TryRead(ref reader, out block);
        if (reading == BlockReading.Read && !reader.AtEnd)
        {
            block = null;
            return BlockReading.Malformed;
        }

        return reading;
    }

    /// <summary>Reads a block that others may follow.</summary>
    public static BlockReading TryRead(ref ByteReader reader, out Block? block)
    {
        block = null;
        if (reader.Remaining > MaxBytes
            || !BlockHeader.TryReadWithProof(ref reader, out BlockHeader header, out ReadOnlySpan<byte> proof)
            || !reader.TryReadUInt32(out uint count)
            || count is 0 or > MerkleTree.MaxTransactions)
        {
            return BlockReading.Malformed;
        }

        var transactions = ImmutableArray.CreateBuilder<Transaction>();
        List<Hash256> ids = [];
        HashSet<Hash256> distinct = [];
        for (uint i = 0; i < count; i++)
        {
            TransactionReading reading = Transaction.TryRead(ref reader, out Transaction? transaction);
            if (reading != TransactionReading.Read)
            {
                return reading is TransactionReading.Malformed or TransactionReading.AmountOutOfRange ? BlockReading.Malformed : BlockReading.UnknownTransaction;
            }

            transactions.Add(transaction!);
            ids.Add(transaction!.Id);
            // A doubled tail gives the same root (CVE-2012-2459): the same transaction twice is no block.
            if (!distinct.Add(transaction.Id))
            {
                return BlockReading.Merkle;
            }
        }

        if (MerkleTree.Root([.. ids]) != header.MerkleRoot)
        {
            return BlockReading.Merkle;
        }

        block = new Block(header, proof.ToArray(), transactions.DrainToImmutable());
        return BlockReading.Read;
    }

    public byte[] Encode()
    {
        var writer = new ByteWriter();
        Span<byte> core = stackalloc byte[BlockHeader.Bytes];
        Header.CopyTo(core);
        writer.WriteSpan(core);
        writer.WriteSpan(Proof.Span);
        writer.WriteByte(BlockHeader.Tail);
        writer.WriteUInt32((uint)Transactions.Length);
        foreach (Transaction transaction in Transactions)
        {
            writer.WriteSpan(transaction.Encode());
        }

        return writer.ToArray();
    }

    /// <summary>The branch that proves the transaction at <paramref name="index"/>.</summary>
    public MerkleBranch BranchOf(int index) => MerkleTree.Branch([.. Transactions.Select(transaction => transaction.Id)], index);
}

/// <summary>What <see cref="Block.TryParse"/> made of bytes.</summary>
public enum BlockReading
{
    Read,

    /// <summary>No block, or an amount that cannot exist.</summary>
    Malformed,

    /// <summary>A transaction of a kind this client does not read: the block cannot be judged whole. An alarm for whoever scans blocks.</summary>
    UnknownTransaction,

    /// <summary>The transactions do not fit the header.</summary>
    Merkle,
}
