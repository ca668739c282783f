using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Access;

/// <summary>What one node said about one question.</summary>
public sealed record NodeStatement(string Node, NodeFault Fault, string Text);

/// <summary>How far one node was followed.</summary>
/// <param name="Agrees">Whether its tip is on the chain with the most work.</param>
public sealed record NodeSync(string Node, NodeFault Fault, string Detail, uint Height, Hash256 Tip, bool Agrees);

/// <summary>Where the chain stands, what was checked of it, and who says otherwise.</summary>
public sealed record SyncReport(uint Height, Hash256 Tip, HeaderAssurance Assurance, IReadOnlyList<NodeSync> Nodes)
{
    /// <summary>Transactions that concern us, perhaps, and are of kinds this client does not read: an alarm, never silence.</summary>
    public IReadOnlyList<Hash256> Unreadable { get; init; } = [];

    public int Agreeing => Nodes.Count(node => node.Agrees);

    public bool IsDisputed => Nodes.Any(node => node.Fault == NodeFault.None && !node.Agrees);
}

/// <summary>A transaction with the proof that it is in a block; whoever has the header chain can check it without asking anybody.</summary>
public sealed record ProvedTransaction(Transaction Transaction, BlockHeader Header, ReadOnlyMemory<byte> AuxPow, MerkleBranch Branch)
{
    public bool IsSound => Branch.Proves(Transaction.Id, Header.MerkleRoot);
}

/// <summary>What a search through one block gave.</summary>
/// <param name="IsWhole">Every transaction of the block was given, readable or not.</param>
/// <param name="Spender">The one that was looked for.</param>
/// <param name="Unreadable">Transactions no node gave in a form this client can read. A spend could hide there: to be told, never passed over in silence.</param>
public sealed record BlockSearch(bool IsWhole, Transaction? Spender, IReadOnlyList<Hash256> Unreadable);

/// <summary>Where a transaction is.</summary>
/// <param name="Proved">The proof, when it is in a block of our chain.</param>
/// <param name="Waiting">The transaction, when a node has it at all.</param>
/// <param name="Statements">What each node said.</param>
public sealed record Inclusion(ProvedTransaction? Proved, Transaction? Waiting, IReadOnlyList<NodeStatement> Statements)
{
    /// <summary>Whether any node answered at all, be it that it does not know the transaction.</summary>
    public bool IsAnswered => Statements.Any(statement => statement.Fault is NodeFault.None or NodeFault.Error);
}

/// <summary>An output proved to be in a block.</summary>
/// <param name="Disputed">A node that answered did not list it: it may be spent, or hidden. Never counted as ours to spend.</param>
public sealed record Coin(OutPoint OutPoint, TransactionOutput Output, uint Height, bool IsCoinBase, bool Disputed)
{
    /// <summary>Blocks a coinbase output must be old to be spent.</summary>
    public const uint Maturity = 100;

    /// <summary>True when the next block may hold a spend of it.</summary>
    public bool IsMature(uint tip) => !IsCoinBase || tip >= Height + Maturity;
}

/// <summary>The coins of an account and what each node said.</summary>
/// <param name="Answered">How many nodes answered.</param>
public sealed record CoinReport(IReadOnlyList<Coin> Coins, int Answered, IReadOnlyList<NodeStatement> Statements);
