using Carrier.Chain.Access;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Spv;

/// <summary>One account as proved transactions show it: which concern it, and which coins are left. Pure.</summary>
/// <param name="owner">The account.</param>
public sealed class AccountSightings(ProgramHash owner)
{
    /// <summary>Room in a filter for outputs that the peer adds to it while it matches.</summary>
    private const int FilterGrowth = 500;

    private readonly Dictionary<Hash256, ProvedTransaction> _transactions = [];
    private readonly HashSet<OutPoint> _points = [];

    /// <summary>Every transaction taken, by id.</summary>
    public IReadOnlyDictionary<Hash256, ProvedTransaction> Transactions => _transactions;

    /// <summary>Takes a transaction when it pays the account or spends a coin of it; false when it is a false hit. Feed blocks in order.</summary>
    public bool Take(ProvedTransaction seen)
    {
        ArgumentNullException.ThrowIfNull(seen);
        bool concerns = seen.Transaction.Inputs.Any(input => _points.Contains(input.Previous));
        foreach ((int i, TransactionOutput output) in seen.Transaction.Outputs.Index())
        {
            if (output.Owner == owner)
            {
                _ = _points.Add(new OutPoint(seen.Transaction.Id, (ushort)i));
                concerns = true;
            }
        }

        if (concerns)
        {
            _transactions[seen.Transaction.Id] = seen;
        }

        return concerns;
    }

    /// <summary>The coins that no transaction taken spends.</summary>
    public IReadOnlyList<Coin> Coins()
    {
        HashSet<OutPoint> spent = [.. _transactions.Values.SelectMany(seen => seen.Transaction.Inputs).Select(input => input.Previous)];
        return
        [
            .. from seen in _transactions.Values
               from output in seen.Transaction.Outputs.Index()
               let point = new OutPoint(seen.Transaction.Id, (ushort)output.Index)
               where output.Item.Owner == owner && !spent.Contains(point)
               orderby seen.Header.Height, seen.Branch.Index, point.Index
               select new Coin(point, output.Item, seen.Header.Height, seen.Transaction.IsCoinBase, Disputed: false),
        ];
    }

    /// <summary>A filter for the account and its coins.</summary>
    public BloomFilter Filter(uint tweak)
    {
        IReadOnlyList<Coin> coins = Coins();
        BloomFilter filter = BloomFilter.For(1 + coins.Count + FilterGrowth, tweak);
        filter.Add(owner);
        foreach (Coin coin in coins)
        {
            filter.Add(coin.OutPoint);
        }

        return filter;
    }
}
