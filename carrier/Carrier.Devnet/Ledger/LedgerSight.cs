using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Devnet.Ledger;

/// <summary>What a channel sees of a ledger: what two honest nodes would agree on.</summary>
public static class LedgerSight
{
    public static ChannelSight Of(TransactionLedger ledger, ChannelTransactions channel)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        ArgumentNullException.ThrowIfNull(channel);
        uint confirmations = ledger.TryFindMined(channel.Funding, out MinedTransaction funding) ? Confirmations(ledger, funding) : 0;
        return new ChannelSight(
            ledger.Height, confirmations, ledger.Pool.ContainsKey(channel.Funding), SpendOf(ledger, channel.Deposit), SpendOf(ledger, channel.Ticket));
    }

    private static ChannelSpend SpendOf(TransactionLedger ledger, OutPoint outPoint)
    {
        if (ledger.TryFindMinedSpender(outPoint, out MinedTransaction mined))
        {
            return new ChannelSpend(SpendStage.Mined, mined.Transaction.Id, Confirmations(ledger, mined));
        }

        return ledger.TryFindPoolSpender(outPoint, out Hash256 pooled) ? new ChannelSpend(SpendStage.Pooled, pooled, 0) : ChannelSpend.None;
    }

    private static uint Confirmations(TransactionLedger ledger, MinedTransaction mined) => ledger.Height - mined.Height + 1;
}
