using System.Collections.Immutable;
using Carrier.Chain.Access;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Wallet;

/// <summary>Which coins pay an amount. Pure.</summary>
/// <remarks>
/// The fee does not depend on size, but a transaction has a limit and change cannot be spent before it is mined. So: the smallest single coin that is enough,
/// which leaves the others free; else the largest coins first, which a flood of dust cannot get into; then a few of the smallest, which gathers dust while it
/// costs nothing. Change smaller than the fee it would cost to spend is given to the fee and not made.
/// </remarks>
public static class CoinSelection
{
    /// <summary>Fee the chain's nodes ask at least, whatever the size.</summary>
    public static readonly Sela MinFee = new(100);

    /// <summary>Fee unless told otherwise.</summary>
    public static readonly Sela DefaultFee = new(10_000);

    /// <summary>Inputs of one transaction: 800 bytes of ours at most each keep it far below every limit.</summary>
    public const int MaxInputs = 500;

    /// <summary>Small coins taken along to be gathered into the change.</summary>
    public const int MaxGathered = 10;

    /// <summary>Chooses among coins that may be spent; null when they are not enough.</summary>
    public static CoinChoice? Choose(IEnumerable<Coin> spendable, Sela amount, Sela fee)
    {
        if (fee < MinFee || !amount.TryAdd(fee, out Sela needed))
        {
            return null;
        }

        Coin[] coins = [.. spendable.OrderByDescending(coin => coin.Output.Value).ThenBy(coin => coin.Height).ThenBy(coin => coin.OutPoint.TransactionId).ThenBy(coin => coin.OutPoint.Index)];
        List<Coin> chosen = [];
        Sela total = Sela.Zero;
        if (coins.LastOrDefault(coin => coin.Output.Value >= needed) is { } single)
        {
            chosen.Add(single);
            total = single.Output.Value;
        }

        foreach (Coin coin in coins)
        {
            if (total >= needed || chosen.Count == MaxInputs)
            {
                break;
            }

            // Coins are proved one by one, but their sum must be possible too.
            if (!total.TryAdd(coin.Output.Value, out total))
            {
                return null;
            }

            chosen.Add(coin);
        }

        if (total < needed)
        {
            return null;
        }

        Gather(coins, chosen, needed, ref total);
        Sela change = total - needed;
        return change < DefaultFee
            ? new CoinChoice([.. chosen], Sela.Zero, fee + change)
            : new CoinChoice([.. chosen], change, fee);
    }

    /// <summary>Takes small coins along, when there will be change to put them into.</summary>
    private static void Gather(Coin[] coins, List<Coin> chosen, Sela needed, ref Sela total)
    {
        int gathered = 0;
        for (int i = coins.Length - 1; i >= 0 && gathered < MaxGathered && chosen.Count < MaxInputs; i--)
        {
            Coin coin = coins[i];
            bool worthIt = total > needed && coin.Output.Value < DefaultFee && !chosen.Contains(coin);
            if (worthIt && total.TryAdd(coin.Output.Value, out Sela more))
            {
                chosen.Add(coin);
                total = more;
                gathered++;
            }
        }
    }
}

/// <summary>Coins that pay, the change they leave (zero: no output for it), and the fee with what was too small to be change.</summary>
public sealed record CoinChoice(ImmutableArray<Coin> Coins, Sela Change, Sela Fee);
