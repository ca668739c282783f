using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Access;

/// <summary>The chain as a wallet or an index needs it, whoever is asked: <see cref="ChainAccess"/> asks JSON-RPC nodes, <see cref="PeerAccess"/> peers of the P2P network.</summary>
/// <remarks>Whatever can be proved is, against our own header chain. One operation after the other; not for several callers at once.</remarks>
public interface IChainAccess : IDisposable
{
    /// <summary>Our own header chain: the judge of everything here.</summary>
    HeaderChain Headers { get; }

    /// <summary>The height the headers begin at: trusted, not judged.</summary>
    uint Origin { get; }

    /// <summary>Whether enough are asked that one alone cannot hide something.</summary>
    bool AsksSeveral { get; }

    /// <summary>Follows everybody to their tips, judging each header, and keeps the chain with the most work.</summary>
    Task<SyncReport> SyncAsync(CancellationToken cancellationToken);

    /// <summary>A header of our best chain, in memory or on disk.</summary>
    bool TryGetHeader(uint height, out BlockHeader header);

    /// <summary>True when our best chain holds this block.</summary>
    bool IsOnChain(uint height, Hash256 hash) => TryGetHeader(height, out BlockHeader header) && header.Hash == hash;

    /// <summary>Says what stands behind a block.</summary>
    Task<HeaderAssurance> AssureAsync(uint height, CancellationToken cancellationToken);

    /// <summary>Proves that a transaction is in a block of our chain. One sound proof decides, however many deny it.</summary>
    Task<Inclusion> FindAsync(Hash256 id, CancellationToken cancellationToken);

    /// <summary>The coins of an account, each proved to exist. That a coin is not spent is never proved.</summary>
    Task<CoinReport> CoinsAsync(ProgramHash owner, CancellationToken cancellationToken);

    /// <summary>Hands a transaction to everybody.</summary>
    Task<IReadOnlyList<(string Node, SendOutcome Outcome, string Detail)>> BroadcastAsync(Transaction transaction, CancellationToken cancellationToken);

    /// <summary>Whole blocks of our chain from a height on, at most <see cref="MaxWholeBlocks"/>; none when nobody gave the first one as it must be.</summary>
    Task<IReadOnlyList<WholeBlock>> ReadBlocksAsync(uint from, CancellationToken cancellationToken);

    /// <summary>Blocks read at a time.</summary>
    const int MaxWholeBlocks = 100;
}

/// <summary>Every transaction of a block: nothing was added or left out, for their ids give the merkle root of a header we judged.</summary>
/// <param name="Header">Of the block.</param>
/// <param name="Transactions">Those that could be read, in the block's order.</param>
/// <param name="Unreadable">Ids of kinds this client does not read: an alarm for whoever scans.</param>
public sealed record WholeBlock(BlockHeader Header, IReadOnlyList<ProvedTransaction> Transactions, IReadOnlyList<Hash256> Unreadable);
