using Carrier.Chain.Access;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core;

namespace Carrier.Chain.Spv;

/// <summary>Follows the chain through peers alone and keeps what concerns some accounts: no RPC server is needed.</summary>
/// <remarks>
/// Headers and transactions are proved. That a peer left out a match cannot be seen: scan again through another peer, and what either shows is true.
/// </remarks>
public sealed class SpvScan(HeaderChain chain, params IEnumerable<ProgramHash> owners)
{
    private readonly HashSet<ProgramHash> _owners = [.. owners];
    private readonly SortedDictionary<uint, (Hash256 Block, List<Transaction> Transactions)> _found = [];

    /// <summary>Matched transactions of kinds this client does not read: they may concern the accounts, and somebody should look.</summary>
    public HashSet<Hash256> Unreadable { get; } = [];

    /// <summary>What pays or spends the accounts, by block.</summary>
    public IEnumerable<(uint Height, Transaction Transaction)> Transactions =>
        _found.SelectMany(block => block.Value.Transactions.Select(transaction => (block.Key, transaction)));

    /// <summary>The coins of the accounts that no found transaction spends.</summary>
    public IReadOnlyList<Coin> Coins()
    {
        Dictionary<OutPoint, Coin> coins = [];
        foreach ((uint height, Transaction transaction) in Transactions)
        {
            foreach (TransactionInput input in transaction.Inputs)
            {
                _ = coins.Remove(input.Previous);
            }

            foreach ((int i, TransactionOutput output) in transaction.Outputs.Index().Where(output => _owners.Contains(output.Item.Owner)))
            {
                var point = new OutPoint(transaction.Id, (ushort)i);
                coins[point] = new Coin(point, output, height, transaction.IsCoinBase, Disputed: false);
            }
        }

        return [.. coins.Values];
    }

    /// <summary>A filter for the accounts and their coins.</summary>
    public BloomFilter Filter(uint tweak)
    {
        IReadOnlyList<Coin> coins = Coins();
        BloomFilter filter = BloomFilter.For(_owners.Count + coins.Count, tweak);
        foreach (ProgramHash owner in _owners)
        {
            filter.Add(owner);
        }

        foreach (Coin coin in coins)
        {
            filter.Add(coin.OutPoint);
        }

        return filter;
    }

    /// <summary>Follows a peer to its tip; returns the rule a header broke, or none.</summary>
    /// <exception cref="SpvException">The peer failed. What was learnt stays.</exception>
    public async Task<HeaderRule> RunAsync(SpvConnection peer, BloomFilter filter, UnixTime now, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(peer);
        await peer.LoadFilterAsync(filter, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<Hash256> hashes;
        do
        {
            Hash256 before = chain.Tip.Hash;
            hashes = await peer.BlocksAfterAsync([.. chain.Locator()], cancellationToken).ConfigureAwait(false);
            await foreach (FilteredBlock block in peer.FilteredBlocksAsync(hashes, cancellationToken).ConfigureAwait(false))
            {
                HeaderRule rule = Take(block, now);
                if (rule != HeaderRule.None)
                {
                    return rule;
                }
            }

            if (chain.Tip.Hash == before)
            {
                break; // it repeats what is known, or shows a branch with less work
            }
        }
        while (hashes.Count == SpvConnection.MaxBlocksAsked);

        return HeaderRule.None;
    }

    private HeaderRule Take(FilteredBlock filtered, UnixTime now)
    {
        BlockHeader header = filtered.Block.Header;
        Span<byte> core = stackalloc byte[BlockHeader.Bytes];
        header.CopyTo(core);
        HeaderVerdict verdict = chain.Add(core, filtered.Block.Proof.Span, now);
        if (verdict.Step is HeaderStep.Refused or HeaderStep.Orphan or HeaderStep.TooDeep)
        {
            return verdict.Rule == HeaderRule.None ? HeaderRule.PreviousHash : verdict.Rule;
        }

        if (verdict.Step == HeaderStep.Reorganised)
        {
            foreach (uint height in _found.Keys.Where(height => height > verdict.Fork && !chain.Contains(height, _found[height].Block)).ToArray())
            {
                _ = _found.Remove(height);
            }
        }

        Unreadable.UnionWith(filtered.Unreadable);
        HashSet<OutPoint> points = [.. Coins().Select(coin => coin.OutPoint)];
        foreach (Transaction transaction in filtered.Relevant(_owners, points))
        {
            if (!_found.TryGetValue(header.Height, out (Hash256 Block, List<Transaction> Transactions) at) || at.Block != header.Hash)
            {
                _found[header.Height] = at = (header.Hash, []);
            }

            if (at.Transactions.All(known => known.Id != transaction.Id))
            {
                at.Transactions.Add(transaction);
            }
        }

        return HeaderRule.None;
    }
}
