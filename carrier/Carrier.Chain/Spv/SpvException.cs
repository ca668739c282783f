using System.Collections.Immutable;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Spv;

/// <summary>A peer failed; the connection is of no more use.</summary>
public sealed class SpvException(SpvFault fault, string message) : Exception(message)
{
    public SpvFault Fault { get; } = fault;
}

/// <summary>How a peer failed.</summary>
public enum SpvFault
{
    /// <summary>No connection, or it hung up.</summary>
    Unreachable,
    TimedOut,

    /// <summary>Bytes that are no message.</summary>
    Malformed,

    /// <summary>It does not have what was asked for.</summary>
    NotFound,

    /// <summary>Too much that nobody asked for.</summary>
    Flood,

    /// <summary>It contradicts a hash.</summary>
    Lie,
}

/// <summary>A filtered block with the transactions it matched; some may be false hits, and what a filter missed is not known.</summary>
/// <param name="Unreadable">Matched transactions of kinds this client does not read: an alarm.</param>
public sealed record FilteredBlock(MerkleBlock Block, ImmutableArray<Transaction> Transactions, ImmutableArray<Hash256> Unreadable)
{
    /// <summary>The transactions that really pay or spend what is watched.</summary>
    public IEnumerable<Transaction> Relevant(IReadOnlySet<ProgramHash> owners, IReadOnlySet<OutPoint> points) => Transactions.Where(transaction =>
        transaction.Outputs.Any(output => owners.Contains(output.Owner)) || transaction.Inputs.Any(input => points.Contains(input.Previous)));
}
