using System.Collections.Immutable;
using Carrier.Chain.Access;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Spv;

/// <summary>A filtered block with the transactions it matched, each proved; some may be false hits, and what a filter missed is not known.</summary>
/// <param name="Unreadable">Matched transactions of kinds this client does not read: an alarm.</param>
public sealed record FilteredBlock(MerkleBlock Block, ImmutableArray<ProvedTransaction> Proved, ImmutableArray<Hash256> Unreadable)
{
    public IEnumerable<Transaction> Transactions => Proved.Select(proved => proved.Transaction);

    /// <summary>True when every transaction of the block was matched: then nothing of it can have been left out.</summary>
    public bool IsWhole => Block.Matches.Length == Block.TransactionCount;
}
