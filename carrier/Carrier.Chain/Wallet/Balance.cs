using System.Collections.Immutable;
using Carrier.Chain.Access;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Wallet;

/// <summary>What an account has, by what can be done with it. Pure arithmetic over proved coins.</summary>
/// <param name="Confirmed">Can be spent in the next block.</param>
/// <param name="Pending">Comes back as change once what was sent is mined.</param>
/// <param name="Locked">Coinbase too young, or locked to a height.</param>
/// <param name="Disputed">Proved to exist, but a node says it is spent.</param>
/// <param name="Spendable">The coins behind <paramref name="Confirmed"/>.</param>
/// <param name="NodesAnswered">How many nodes stand behind it.</param>
public sealed record Balance(Sela Confirmed, Sela Pending, Sela Locked, Sela Disputed, ImmutableArray<Coin> Spendable, int NodesAnswered)
{
    /// <summary>What nodes said that was not so, or could not be read: shown, never silently passed over.</summary>
    public IReadOnlyList<NodeStatement> Alarms { get; init; } = [];

    internal static Balance Of(CoinReport report, IReadOnlyList<SentTransaction> sent, ProgramHash account, uint tip)
    {
        HashSet<OutPoint> spent = [.. sent.Where(transaction => !transaction.GivenUp).SelectMany(transaction => transaction.Transaction.Inputs).Select(input => input.Previous)];
        List<Coin> spendable = [];
        Sela confirmed = Sela.Zero;
        Sela locked = Sela.Zero;
        Sela disputed = Sela.Zero;
        foreach (Coin coin in report.Coins.Where(coin => !spent.Contains(coin.OutPoint)))
        {
            // A spend of a locked output has lock time = its lock, and is mined one block after that.
            bool isFree = coin.IsMature(tip) && (coin.Output.OutputLock == 0 || coin.Output.OutputLock < tip + 1);
            if (coin.Disputed)
            {
                disputed = Sum(disputed, coin);
            }
            else if (isFree)
            {
                confirmed = Sum(confirmed, coin);
                spendable.Add(coin);
            }
            else
            {
                locked = Sum(locked, coin);
            }
        }

        Sela pending = Sela.Zero;
        foreach (TransactionOutput output in sent.Where(transaction => transaction.IsPending).SelectMany(transaction => transaction.Transaction.Outputs).Where(output => output.Owner == account))
        {
            pending = pending.TryAdd(output.Value, out Sela sum) ? sum : Sela.Max;
        }

        return new Balance(confirmed, pending, locked, disputed, [.. spendable], report.Answered)
        {
            Alarms = [.. report.Statements.Where(statement => statement.Fault is NodeFault.Lie or NodeFault.Malformed)],
        };
    }

    // Proved coins cannot exceed the supply, unless the chain itself were broken: then it is shown as all there is.
    private static Sela Sum(Sela total, Coin coin) => total.TryAdd(coin.Output.Value, out Sela sum) ? sum : Sela.Max;
}
