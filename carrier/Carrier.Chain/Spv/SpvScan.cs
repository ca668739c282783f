using Carrier.Chain.Access;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Core;

namespace Carrier.Chain.Spv;

/// <summary>Follows one peer to its tip: judges its headers, and keeps what concerns an account.</summary>
/// <remarks>
/// Headers and transactions are proved. That a peer left out a match cannot be seen, so every peer is asked for every block: what any of them shows is true.
/// </remarks>
internal sealed class SpvScan(IChainAccess access, HeaderStore headers, SightingStore store, AccountSightings account)
{
    /// <summary>Times a block that fits nowhere is taken for news that came between question and answer.</summary>
    private const int Retries = 3;

    /// <summary>A round of <see cref="SpvConnection.MaxBlocksAsked"/> blocks is whole within this time: each frame in time, one by one, would be a stall of hours.</summary>
    private static readonly TimeSpan RoundPatience = TimeSpan.FromMinutes(2);

    private readonly HeaderChain _chain = access.Headers;
    private readonly List<ProvedTransaction> _found = [];
    private readonly List<Hash256> _unreadable = [];

    /// <summary>Follows a peer; returns the rule a header broke, or none.</summary>
    /// <exception cref="SpvException">The peer failed. What was learnt stays.</exception>
    public async Task<HeaderRule> FollowAsync(string name, SpvConnection peer, uint tweak, UnixTime now, CancellationToken cancellationToken)
    {
        await peer.LoadFilterAsync(account.Filter(tweak), cancellationToken).ConfigureAwait(false);
        await peer.PingAsync(cancellationToken).ConfigureAwait(false);
        await CatchUpAsync(name, peer, cancellationToken).ConfigureAwait(false);
        for (int retries = 0; peer.PeerHeight > _chain.Tip.Header.Height;)
        {
            Hash256 before = _chain.Tip.Hash;
            HeaderRule rule = await FollowRoundAsync(name, peer, now, cancellationToken).ConfigureAwait(false);
            if (rule == HeaderRule.PreviousHash && ++retries <= Retries)
            {
                continue;
            }

            if (rule != HeaderRule.None || _chain.Tip.Hash == before)
            {
                return rule; // it broke a rule, or shows a branch with less work
            }
        }

        return HeaderRule.None;
    }

    /// <summary>Asks for the blocks of our chain that this peer was not asked for yet.</summary>
    private async Task CatchUpAsync(string name, SpvConnection peer, CancellationToken cancellationToken)
    {
        for (uint at = ScannedTo(name); at < _chain.Tip.Header.Height;)
        {
            List<Hash256> hashes = [];
            BlockHeader last = default;
            while (hashes.Count < SpvConnection.MaxBlocksAsked && access.TryGetHeader(at + (uint)hashes.Count + 1, out BlockHeader header))
            {
                hashes.Add(header.Hash);
                last = header;
            }

            await WithinRoundAsync(
                async token =>
                {
                    await foreach (FilteredBlock block in peer.FilteredBlocksAsync(hashes, token).ConfigureAwait(false))
                    {
                        Collect(block);
                    }
                },
                cancellationToken).ConfigureAwait(false);
            Save(name, last);
            at = last.Height;
        }
    }

    private async Task<HeaderRule> FollowRoundAsync(string name, SpvConnection peer, UnixTime now, CancellationToken cancellationToken)
    {
        HeaderRule rule = HeaderRule.None;
        await WithinRoundAsync(
            async token =>
            {
                IReadOnlyList<Hash256> hashes = await peer.BlocksAfterAsync([.. _chain.Locator()], token).ConfigureAwait(false);
                await foreach (FilteredBlock block in peer.FilteredBlocksAsync(hashes, token).ConfigureAwait(false))
                {
                    rule = rule == HeaderRule.None ? Judge(block, now) : rule;
                    if (rule != HeaderRule.None)
                    {
                        break;
                    }

                    Collect(block);
                }
            },
            cancellationToken).ConfigureAwait(false);
        headers.Save(_chain);
        if (rule == HeaderRule.None)
        {
            Save(name, _chain.Tip.Header);
        }

        return rule;
    }

    private HeaderRule Judge(FilteredBlock filtered, UnixTime now)
    {
        Span<byte> core = stackalloc byte[BlockHeader.Bytes];
        filtered.Block.Header.CopyTo(core);
        HeaderVerdict verdict = _chain.Add(core, filtered.Block.Proof.Span, now);
        return verdict.Step switch
        {
            HeaderStep.Refused => verdict.Rule,
            HeaderStep.Orphan or HeaderStep.TooDeep => HeaderRule.PreviousHash,
            _ => HeaderRule.None,
        };
    }

    private void Collect(FilteredBlock block)
    {
        _unreadable.AddRange(block.Unreadable);
        _found.AddRange(block.Proved.Where(account.Take));
    }

    private void Save(string name, in BlockHeader last)
    {
        store.Save(name, last, _found, _unreadable);
        _found.Clear();
        _unreadable.Clear();
    }

    /// <summary>The last block of our chain the peer was asked for; after a reorganisation as far back as one can reach.</summary>
    private uint ScannedTo(string name)
    {
        if (!store.TryGetScanned(name, out uint height, out Hash256 block))
        {
            return access.Origin;
        }

        return access.IsOnChain(height, block) ? height : Math.Max(access.Origin, height - Math.Min(height, HeaderChain.MaxReorganisation));
    }

    private static async Task WithinRoundAsync(Func<CancellationToken, Task> round, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(RoundPatience);
        try
        {
            await round(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SpvException(SpvFault.TimedOut, $"It took more than {RoundPatience.TotalSeconds:0} s for one round of blocks.");
        }
    }
}
