using Carrier.Chain.Access;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>Looks at the chain for one channel. What is mined is proved by merkle path to our own headers; what waits in a pool is the nodes' word.</summary>
/// <remarks>
/// Gate, refund and the newest close are known by their ids and simply asked for. A close the other side chose is found by reading the blocks since the
/// funding, once a node says that the deposit is spent: a block whose ids fit its header cannot leave a transaction out.
/// </remarks>
public sealed class ChannelWatch(ChainAccess access, ChannelTransactions channel)
{
    /// <summary>Blocks read in one look: the rest is for the next.</summary>
    private const int MaxBlocksRead = 200;

    /// <summary>Unreadable transactions that are told by name.</summary>
    private const int MaxUnreadable = 16;

    private readonly ProgramHash _owner = ChannelTransactions.ScriptOf(channel.Terms).ProgramHash;
    private Place? _funding;
    private Place? _gate;
    private Place? _deposit;
    private Place? _searched;
    private readonly HashSet<Hash256> _unreadable = [];

    /// <summary>Transactions of the blocks read that this client cannot read. None should be: if one were the spend of our deposit it would not be seen.</summary>
    public IReadOnlyCollection<Hash256> Unreadable => _unreadable;

    /// <summary>Looks now; null when no node answered.</summary>
    /// <param name="witnessed">The height up to which enough nodes agree: confirmations of the funding are counted up to there.</param>
    /// <param name="cumulative">What the newest close known here pays.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<ChannelSight?> LookAsync(uint witnessed, Sela cumulative, CancellationToken cancellationToken)
    {
        uint tip = access.Headers.Tip.Header.Height;
        if (await LocateAsync(_funding, channel.Funding, cancellationToken).ConfigureAwait(false) is not { } funding)
        {
            return null;
        }

        _funding = funding.Mined;
        if (funding.Mined is not { } mined)
        {
            return new ChannelSight(tip, 0, funding.Waits, default, default);
        }

        if (await LocateAsync(_gate, channel.Gate.Id, cancellationToken).ConfigureAwait(false) is not { } gate
            || await LookForSpendAsync(mined, gate.Mined is not null, cumulative, cancellationToken).ConfigureAwait(false) is not { } deposit)
        {
            return null;
        }

        _gate = gate.Mined;
        uint confirmations = Depth(mined, witnessed);
        // Mined in a block that not enough nodes have seen: on its way, as if it waited.
        return new ChannelSight(tip, confirmations, confirmations == 0, Spend(deposit, tip), Spend(gate, tip));
    }

    private static uint Depth(Place place, uint tip) => tip >= place.Height ? tip - place.Height + 1 : 0;

    private static ChannelSpend Spend(Location location, uint tip) =>
        location.Mined is { } place ? new ChannelSpend(SpendStage.Mined, place.Id, Depth(place, tip))
        : location.Waits ? new ChannelSpend(SpendStage.Pooled, location.Id, 0)
        : default;

    private async Task<Location?> LookForSpendAsync(Place funding, bool isGateMined, Sela cumulative, CancellationToken cancellationToken)
    {
        if (_deposit is { } known && access.IsOnChain(known.Height, known.Block))
        {
            return new Location(known.Id, known, false);
        }

        _deposit = null;
        Location seen = default;
        Hash256 close = channel.Close(cumulative).Id;
        foreach (Hash256 id in isGateMined ? (Hash256[])[close, channel.Refund.Id] : [close])
        {
            if (await LocateAsync(null, id, cancellationToken).ConfigureAwait(false) is not { } location)
            {
                return null;
            }

            seen = seen.Mined is null && (location.Mined is not null || location.Waits) ? location : seen;
        }

        if (seen.Mined is null && await access.IsSaidSpentAsync(channel.Deposit, _owner, cancellationToken).ConfigureAwait(false) is true)
        {
            seen = await SearchAsync(funding, cancellationToken).ConfigureAwait(false) is { } found ? new Location(found.Id, found, false) : seen;
        }

        _deposit = seen.Mined;
        return seen;
    }

    /// <summary>Reads the blocks that were not read yet. A reorganisation below them begins again at the funding.</summary>
    private async Task<Place?> SearchAsync(Place funding, CancellationToken cancellationToken)
    {
        uint next = _searched is { } searched && searched.Height >= funding.Height && access.IsOnChain(searched.Height, searched.Block)
            ? searched.Height + 1
            : funding.Height;
        for (int read = 0; read < MaxBlocksRead && access.TryGetHeader(next, out BlockHeader header); read++, next++)
        {
            BlockSearch search = await access.FindSpenderAsync(header, channel.Deposit, cancellationToken).ConfigureAwait(false);
            _unreadable.UnionWith(search.Unreadable.Take(MaxUnreadable - _unreadable.Count));
            if (search.Spender is { } spender)
            {
                return new Place(spender.Id, next, header.Hash);
            }

            if (!search.IsWhole)
            {
                break;
            }

            _searched = new Place(default, next, header.Hash);
        }

        return null;
    }

    /// <summary>Where a transaction is; null when no node answered.</summary>
    private async Task<Location?> LocateAsync(Place? known, Hash256 id, CancellationToken cancellationToken)
    {
        if (known is { } place && access.IsOnChain(place.Height, place.Block))
        {
            return new Location(id, place, false);
        }

        Inclusion inclusion = await access.FindAsync(id, cancellationToken).ConfigureAwait(false);
        return inclusion.Proved is { } proved ? new Location(id, new Place(id, proved.Header.Height, proved.Header.Hash), false)
            : inclusion.IsAnswered ? new Location(id, null, inclusion.Waiting is not null)
            : null;
    }

    private readonly record struct Place(Hash256 Id, uint Height, Hash256 Block);

    private readonly record struct Location(Hash256 Id, Place? Mined, bool Waits);
}
