using Carrier.Chain.Blocks;
using Carrier.Chain.Dpos;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Scanning;
using Carrier.Chain.Storage;
using Carrier.Chain.Transactions;
using Carrier.Core;

namespace Carrier.Chain.Access;

/// <summary>The chain through several JSON-RPC nodes, none of them trusted: what can be proved is proved against our own header chain; what cannot is asked of all, and
/// disagreement is shown, never voted away.</summary>
public sealed class ChainAccess : IChainAccess
{
    /// <summary>Nodes that should be asked for whatever matters.</summary>
    public const int MinNodes = 2;

    /// <summary>Nodes that may be configured.</summary>
    public const int MaxNodes = 16;

    private readonly IReadOnlyList<RpcNode> _nodes;
    private readonly HeaderStore _store;
    private readonly TimeProvider _time;
    private ArbiterSchedule? _arbiters;
    private ChainScanner? _announcements;

    public ChainAccess(IReadOnlyList<RpcNode> nodes, HeaderStore store, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(store);
        ArgumentOutOfRangeException.ThrowIfZero(nodes.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nodes.Count, MaxNodes);
        _nodes = nodes;
        _store = store;
        _time = time;
        Headers = store.Load();
    }

    public HeaderChain Headers { get; }

    public uint Origin => _store.Origin;

    public IReadOnlyList<RpcNode> Nodes => _nodes;

    public bool AsksSeveral => _nodes.Count >= MinNodes;

    private UnixTime Now => new(_time.GetUtcNow().ToUnixTimeSeconds());

    /// <summary>From the next sync on every block is looked through for announcements of arbiters, and confirms are judged by those in office.</summary>
    /// <param name="schedule">Holds a trusted first set, and nothing else yet.</param>
    /// <param name="store">What was found before; the caller's to dispose, after this.</param>
    public void FollowArbiters(ArbiterSchedule schedule, ScanStore store)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        _arbiters = schedule;
        _announcements = new ChainScanner(this, schedule, store, Math.Max(schedule.ScannedTo, Origin) + 1);
    }

    public async Task<SyncReport> SyncAsync(CancellationToken cancellationToken)
    {
        List<NodeSync> reports = [];
        foreach (RpcNode node in InOrder())
        {
            reports.Add(await HeaderSync.FollowAsync(node, Headers, _store, Now, cancellationToken).ConfigureAwait(false));
            _store.Save(Headers);
        }

        if (_announcements is not null)
        {
            _ = await _announcements.ScanAsync(cancellationToken).ConfigureAwait(false); // where it stops, nobody is in office
        }

        // A node may have been asked before another showed a better chain: it disagrees only if its tip is not on ours now.
        return new SyncReport(
            Headers.Tip.Header.Height,
            Headers.Tip.Hash,
            await AssureAsync(Headers.Tip.Header.Height, cancellationToken).ConfigureAwait(false),
            [.. reports.Select(report => report with { Agrees = report.Fault == NodeFault.None && IsOnChain(report.Height, report.Tip) })]);
    }

    public bool IsOnChain(uint height, Hash256 hash) => TryGetHeader(height, out BlockHeader header) && header.Hash == hash;

    public bool TryGetHeader(uint height, out BlockHeader header)
    {
        if (Headers.TryGet(height, out HeaderEntry entry))
        {
            header = entry.Header;
            return true;
        }

        header = default;
        return height < Headers.Lowest && _store.TryGet(height, out header);
    }

    /// <summary>Says what stands behind a block: its proof of work, and a confirm when the arbiters in office are known and a node has one that holds.</summary>
    public async Task<HeaderAssurance> AssureAsync(uint height, CancellationToken cancellationToken)
    {
        if (!TryGetHeader(height, out BlockHeader header) || height == _store.Origin)
        {
            return HeaderAssurance.Anchored;
        }

        if (_arbiters is null || !_arbiters.TryGet(height, out ArbiterSet? arbiters))
        {
            return HeaderAssurance.ProofOfWork;
        }

        foreach (RpcNode node in InOrder())
        {
            NodeAnswer<byte[]> confirm = await node.ConfirmAsync(header.Hash, cancellationToken).ConfigureAwait(false);
            if (confirm.IsGood && Confirm.Check(confirm.Value, header.Hash, arbiters!) == ConfirmRule.None)
            {
                return HeaderAssurance.ProofOfWorkAndConfirm;
            }
        }

        return HeaderAssurance.ProofOfWork;
    }

    public async Task<Inclusion> FindAsync(Hash256 id, CancellationToken cancellationToken)
    {
        List<NodeStatement> statements = [];
        Transaction? waiting = null;
        foreach (RpcNode node in InOrder())
        {
            NodeAnswer<TransactionSighting> seen = await node.TransactionAsync(id, cancellationToken).ConfigureAwait(false);
            if (!seen.IsGood)
            {
                statements.Add(new(node.Name, seen.Fault, seen.Fault == NodeFault.Error && seen.Code == RpcNode.UnknownTransaction ? "does not know it" : seen.Detail));
                continue;
            }

            waiting ??= seen.Value!.Transaction;
            if (seen.Value!.Block is not { } hash)
            {
                statements.Add(new(node.Name, NodeFault.None, "has it waiting"));
                continue;
            }

            NodeAnswer<BlockSummary> block = await node.BlockAsync(hash, cancellationToken).ConfigureAwait(false);
            if (!block.IsGood)
            {
                statements.Add(new(node.Name, block.Fault, block.Detail));
                continue;
            }

            if (!IsOnChain(block.Value!.Header.Height, hash))
            {
                statements.Add(new(node.Name, NodeFault.None, "places it in a block that is not on the chain with the most work"));
            }
            else if (block.Value.BranchOf(id) is { } branch)
            {
                statements.Add(new(node.Name, NodeFault.None, "proves it"));
                return new Inclusion(new ProvedTransaction(seen.Value.Transaction, block.Value.Header, block.Value.Proof, branch), waiting, statements);
            }
            else
            {
                node.CaughtLying("It placed a transaction in a block that does not hold it.");
                statements.Add(new(node.Name, NodeFault.Lie, "places it in a block that does not hold it"));
            }
        }

        return new Inclusion(null, waiting, statements);
    }

    /// <summary>The coins of an account: each proved to exist; that it is unspent is the word of the nodes, so all are asked and one denial makes it disputed.</summary>
    public async Task<CoinReport> CoinsAsync(ProgramHash owner, CancellationToken cancellationToken)
    {
        List<NodeStatement> statements = [];
        Dictionary<OutPoint, List<string>> claims = [];
        int answered = 0;
        foreach (RpcNode node in InOrder())
        {
            NodeAnswer<IReadOnlyList<CoinClaim>> coins = await node.UnspentAsync(owner, cancellationToken).ConfigureAwait(false);
            statements.Add(new(node.Name, coins.Fault, coins.IsGood ? $"lists {coins.Value!.Count}" : coins.Detail));
            if (!coins.IsGood)
            {
                continue;
            }

            answered++;
            foreach (CoinClaim claim in coins.Value!.DistinctBy(claim => claim.OutPoint))
            {
                (claims.TryGetValue(claim.OutPoint, out List<string>? by) ? by : claims[claim.OutPoint] = []).Add(node.Name);
            }
        }

        List<Coin> proved = [];
        Dictionary<Hash256, ProvedTransaction?> transactions = [];
        foreach ((OutPoint point, List<string> by) in claims)
        {
            if (!transactions.TryGetValue(point.TransactionId, out ProvedTransaction? transaction))
            {
                transaction = (await FindAsync(point.TransactionId, cancellationToken).ConfigureAwait(false)).Proved;
                transactions.Add(point.TransactionId, transaction);
            }

            // The value is the transaction's, whatever the node wrote beside it.
            if (transaction is not null && point.Index < transaction.Transaction.Outputs.Length && transaction.Transaction.Outputs[point.Index] is var output && output.Owner == owner)
            {
                proved.Add(new Coin(point, output, transaction.Header.Height, transaction.Transaction.IsCoinBase, Disputed: by.Count < answered));
            }
            else
            {
                statements.Add(new(string.Join(", ", by), NodeFault.Lie, $"lists {point}, which no block of the chain gives to {owner}"));
            }
        }

        return new CoinReport(proved, answered, statements);
    }

    /// <summary>Whether any node that answers no longer lists an output as unspent; null when none answers. Hearsay: a reason to search the blocks, and no more.</summary>
    public async Task<bool?> IsSaidSpentAsync(OutPoint point, ProgramHash owner, CancellationToken cancellationToken)
    {
        bool? isSpent = null;
        foreach (RpcNode node in InOrder())
        {
            NodeAnswer<IReadOnlyList<CoinClaim>> coins = await node.UnspentAsync(owner, cancellationToken).ConfigureAwait(false);
            if (coins.IsGood)
            {
                isSpent = isSpent is true || !coins.Value!.Any(claim => claim.OutPoint == point);
            }
        }

        return isSpent;
    }

    /// <summary>Looks through a block of our chain for whatever spends an output. The block is whole when its ids give the header's merkle root, whoever sent it.</summary>
    public async Task<BlockSearch> FindSpenderAsync(BlockHeader header, OutPoint point, CancellationToken cancellationToken)
    {
        BlockSearch best = new(false, null, []);
        foreach (RpcNode node in InOrder())
        {
            NodeAnswer<BlockSummary> block = await node.BlockAsync(header.Hash, cancellationToken).ConfigureAwait(false);
            if (!block.IsGood || MerkleTree.Root(block.Value!.TransactionIds.AsSpan()) != header.MerkleRoot)
            {
                continue;
            }

            BlockSearch search = await SearchAsync(node, block.Value.TransactionIds, point, cancellationToken).ConfigureAwait(false);
            if (search.Spender is not null || search is { IsWhole: true, Unreadable.Count: 0 })
            {
                return search;
            }

            best = search.IsWhole ? search : best; // another node may give what this one garbled
        }

        return best;
    }

    public async Task<IReadOnlyList<(string Node, SendOutcome Outcome, string Detail)>> BroadcastAsync(Transaction transaction, CancellationToken cancellationToken)
    {
        List<(string, SendOutcome, string)> outcomes = [];
        foreach (RpcNode node in InOrder())
        {
            NodeAnswer<Hash256> answer = await node.SendAsync(transaction, cancellationToken).ConfigureAwait(false);
            outcomes.Add((node.Name, SendOutcomes.Of(answer), answer.Detail));
        }

        return outcomes;
    }

    public async Task<IReadOnlyList<WholeBlock>> ReadBlocksAsync(uint from, CancellationToken cancellationToken)
    {
        List<BlockHeader> wanted = [];
        for (uint height = from; wanted.Count < IChainAccess.MaxWholeBlocks && TryGetHeader(height, out BlockHeader header); height++)
        {
            wanted.Add(header);
        }

        foreach (RpcNode node in InOrder())
        {
            IReadOnlyList<WholeBlock> blocks = await node.WholeBlocksAsync(wanted, cancellationToken).ConfigureAwait(false);
            if (blocks.Count > 0)
            {
                return blocks;
            }
        }

        return [];
    }

    public void Dispose()
    {
        foreach (RpcNode node in _nodes)
        {
            node.Dispose();
        }

        _store.Dispose();
    }

    private static async Task<BlockSearch> SearchAsync(RpcNode node, IEnumerable<Hash256> ids, OutPoint point, CancellationToken cancellationToken)
    {
        List<Hash256> unreadable = [];
        bool isWhole = true;
        foreach (Hash256 id in ids)
        {
            NodeAnswer<TransactionSighting> seen = await node.TransactionAsync(id, cancellationToken).ConfigureAwait(false);
            if (seen.IsGood && seen.Value!.Transaction.Inputs.Any(input => input.Previous == point))
            {
                return new BlockSearch(true, seen.Value.Transaction, []);
            }

            isWhole &= seen.IsGood || seen.Fault == NodeFault.Malformed;
            if (seen.Fault == NodeFault.Malformed)
            {
                unreadable.Add(id);
            }
        }

        return new BlockSearch(isWhole, null, unreadable);
    }

    /// <summary>Healthy nodes first; the others are asked last, never forgotten.</summary>
    private IEnumerable<RpcNode> InOrder() => [.. _nodes.OrderByDescending(node => node.Health.IsHealthy)];
}
