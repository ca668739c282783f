using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Spv;
using Carrier.Chain.Storage;
using Carrier.Chain.Transactions;
using Carrier.Core;

namespace Carrier.Chain.Access;

/// <summary>The chain through peers of the P2P network, for one account: no JSON-RPC server is needed, and none of the peers is trusted.</summary>
/// <remarks>
/// What a peer shows is proved: a payment, and also a spend, which JSON-RPC cannot prove. What it leaves out is not seen, unless another peer shows it. Every peer
/// learns roughly which addresses are ours. A transaction of others is not found here: nobody can be asked for one by its id once it is mined.
/// </remarks>
public sealed class PeerAccess : IChainAccess
{
    /// <summary>How long one step of a peer may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ChainNetwork _network;
    private readonly IReadOnlyList<PeerEndpoint> _peers;
    private readonly Dictionary<PeerEndpoint, SpvConnection> _connections = [];
    private readonly HeaderStore _store;
    private readonly SightingStore _sightings;
    private readonly ProgramHash _account;
    private readonly RandomSource _random;
    private readonly TimeProvider _time;
    private readonly TimeSpan _patience;
    private int _followed;

    /// <param name="network">The chain; its magic opens every frame.</param>
    /// <param name="peers">Who is asked: two at least, run by different people.</param>
    /// <param name="store">Our headers; disposed with this.</param>
    /// <param name="sightings">What was shown before; disposed with this.</param>
    /// <param name="account">Whose transactions are looked for.</param>
    /// <param name="random">For nonces and filters.</param>
    /// <param name="time">The clock that headers are judged by.</param>
    /// <param name="patience">How long one step of a peer may take.</param>
    public PeerAccess(
        ChainNetwork network, IReadOnlyList<PeerEndpoint> peers, HeaderStore store, SightingStore sightings, ProgramHash account, RandomSource random, TimeProvider time,
        TimeSpan? patience = null)
    {
        ArgumentNullException.ThrowIfNull(peers);
        ArgumentNullException.ThrowIfNull(store);
        ArgumentOutOfRangeException.ThrowIfZero(peers.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(peers.Count, ChainAccess.MaxNodes);
        _network = network;
        _peers = peers;
        _store = store;
        _sightings = sightings;
        _account = account;
        _random = random;
        _time = time;
        _patience = patience ?? Patience;
        Headers = store.Load();
    }

    public HeaderChain Headers { get; }

    public uint Origin => _store.Origin;

    public bool AsksSeveral => _peers.Count >= ChainAccess.MinNodes;

    private UnixTime Now => new(_time.GetUtcNow().ToUnixTimeSeconds());

    public async Task<SyncReport> SyncAsync(CancellationToken cancellationToken)
    {
        List<NodeSync> reports = [];
        foreach (PeerEndpoint peer in _peers)
        {
            reports.Add(await FollowAsync(peer, cancellationToken).ConfigureAwait(false));
        }

        _followed = reports.Count(report => report.Fault == NodeFault.None);
        return new SyncReport(
            Headers.Tip.Header.Height,
            Headers.Tip.Hash,
            Headers.Tip.Header.Height == Origin ? HeaderAssurance.Anchored : HeaderAssurance.ProofOfWork,
            [.. reports.Select(report => report with { Agrees = report.Fault == NodeFault.None && IsOnChain(report.Height, report.Tip) })])
        {
            Unreadable = _sightings.Unreadable(),
        };
    }

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

    public bool IsOnChain(uint height, Hash256 hash) => TryGetHeader(height, out BlockHeader header) && header.Hash == hash;

    /// <summary>Proof of work: peers hand no confirms to a thin client.</summary>
    public Task<HeaderAssurance> AssureAsync(uint height, CancellationToken cancellationToken) =>
        Task.FromResult(height > Origin && TryGetHeader(height, out _) ? HeaderAssurance.ProofOfWork : HeaderAssurance.Anchored);

    public async Task<Inclusion> FindAsync(Hash256 id, CancellationToken cancellationToken)
    {
        if (Account().Transactions.TryGetValue(id, out ProvedTransaction? proved))
        {
            return new Inclusion(proved, proved.Transaction, [new NodeStatement("here", NodeFault.None, "a peer proved it")]);
        }

        List<NodeStatement> statements = [];
        Transaction? waiting = null;
        foreach (PeerEndpoint peer in _peers)
        {
            (Transaction? found, SpvException? failure) = await AskAsync(peer, connection => connection.WaitingAsync(id, cancellationToken), cancellationToken).ConfigureAwait(false);
            waiting ??= found;
            statements.Add(failure is null
                ? new NodeStatement(peer.ToString(), NodeFault.None, found is null ? "does not have it waiting" : "has it waiting")
                : new NodeStatement(peer.ToString(), failure.NodeFault, failure.Message));
        }

        return new Inclusion(null, waiting, statements);
    }

    public Task<CoinReport> CoinsAsync(ProgramHash owner, CancellationToken cancellationToken) => owner == _account
        ? Task.FromResult(new CoinReport(Account().Coins(), _followed, []))
        : throw new ArgumentException("Peers were asked for another account.", nameof(owner));

    public async Task<IReadOnlyList<(string Node, SendOutcome Outcome, string Detail)>> BroadcastAsync(Transaction transaction, CancellationToken cancellationToken)
    {
        List<(string, SendOutcome, string)> outcomes = [];
        foreach (PeerEndpoint peer in _peers)
        {
            (PeerReject? reject, SpvException? failure) = await AskAsync(peer, connection => connection.SubmitAsync(transaction, cancellationToken), cancellationToken).ConfigureAwait(false);
            outcomes.Add(failure is not null ? (peer.ToString(), SendOutcome.Unknown, failure.Message)
                : reject is { } refused ? (peer.ToString(), SendOutcomes.OfMessage(refused.Reason), refused.Reason)
                : (peer.ToString(), SendOutcome.Accepted, ""));
        }

        return outcomes;
    }

    public async Task<IReadOnlyList<WholeBlock>> ReadBlocksAsync(uint from, CancellationToken cancellationToken)
    {
        List<Hash256> hashes = [];
        while (hashes.Count < IChainAccess.MaxWholeBlocks && TryGetHeader(from + (uint)hashes.Count, out BlockHeader header))
        {
            hashes.Add(header.Hash);
        }

        foreach (PeerEndpoint peer in _peers)
        {
            (IReadOnlyList<WholeBlock>? blocks, _) = await AskAsync(peer, connection => ReadAsync(connection, hashes, cancellationToken), cancellationToken).ConfigureAwait(false);
            if (blocks is { Count: > 0 })
            {
                return blocks;
            }
        }

        return [];
    }

    public void Dispose()
    {
        foreach (SpvConnection connection in _connections.Values)
        {
            connection.Dispose();
        }

        _sightings.Dispose();
        _store.Dispose();
    }

    /// <summary>Blocks through a filter that matches everything, so that each transaction comes in a frame of its own, with its id proved: one that cannot be read hides no other.</summary>
    private static async Task<IReadOnlyList<WholeBlock>> ReadAsync(SpvConnection connection, IReadOnlyList<Hash256> hashes, CancellationToken cancellationToken)
    {
        await connection.LoadFilterAsync(BloomFilter.Everything(), cancellationToken).ConfigureAwait(false);
        List<WholeBlock> blocks = [];
        await foreach (FilteredBlock block in connection.FilteredBlocksAsync(hashes, cancellationToken).ConfigureAwait(false))
        {
            if (!block.IsWhole)
            {
                throw new SpvException(SpvFault.Lie, $"It left a transaction of block {block.Block.Header.Hash} out.");
            }

            blocks.Add(new WholeBlock(block.Block.Header, block.Proved, block.Unreadable));
        }

        return blocks;
    }

    private async Task<NodeSync> FollowAsync(PeerEndpoint peer, CancellationToken cancellationToken)
    {
        var scan = new SpvScan(this, _store, _sightings, Account());
        (HeaderRule rule, SpvException? failure) = await AskAsync(
            peer, connection => scan.FollowAsync(peer.ToString(), connection, Random32(), Now, cancellationToken), cancellationToken).ConfigureAwait(false);
        _store.Save(Headers);
        if (failure is not null || rule != HeaderRule.None)
        {
            string how = failure?.Message ?? $"a header breaks the rule {rule.Name()}";
            return new NodeSync(peer.ToString(), failure?.NodeFault ?? NodeFault.Lie, how, Headers.Tip.Header.Height, default, false);
        }

        HeaderEntry tip = Headers.Tip;
        (bool has, failure) = await AskAsync(peer, connection => connection.HasAsync(tip.Hash, cancellationToken), cancellationToken).ConfigureAwait(false);
        return new NodeSync(peer.ToString(), failure?.NodeFault ?? NodeFault.None, failure?.Message ?? "", tip.Header.Height, has ? tip.Hash : default, has);
    }

    /// <summary>What is known of the account, without the blocks that left the chain.</summary>
    private AccountSightings Account()
    {
        var account = new AccountSightings(_account);
        foreach (ProvedTransaction seen in _sightings.Sightings().Where(seen => IsOnChain(seen.Header.Height, seen.Header.Hash)))
        {
            _ = account.Take(seen);
        }

        return account;
    }

    /// <summary>Asks a peer, connecting first where needed. A peer that fails is hung up on.</summary>
    private async Task<(T? Answer, SpvException? Failure)> AskAsync<T>(PeerEndpoint peer, Func<SpvConnection, Task<T>> question, CancellationToken cancellationToken)
    {
        try
        {
            if (!_connections.TryGetValue(peer, out SpvConnection? connection))
            {
                connection = await SpvConnection.ConnectAsync(peer.Host, peer.Port, _network, _patience, cancellationToken).ConfigureAwait(false);
                _connections.Add(peer, connection);
                ulong nonce = ((ulong)Random32() << 32) | Random32();
                await connection.HandshakeAsync((uint)Now.Seconds, nonce, Headers.Tip.Header.Height, cancellationToken).ConfigureAwait(false);
            }

            return (await question(connection).ConfigureAwait(false), null);
        }
        catch (SpvException e)
        {
            if (_connections.Remove(peer, out SpvConnection? failed))
            {
                failed.Dispose();
            }

            return (default, e);
        }
    }

    private uint Random32()
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        _random.Fill(bytes);
        return BitConverter.ToUInt32(bytes);
    }
}
