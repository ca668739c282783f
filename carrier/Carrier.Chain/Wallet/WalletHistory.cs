using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Wallet;

/// <summary>Puts what was sent and received in order.</summary>
internal static class WalletHistory
{
    public static IReadOnlyList<HistoryEntry> Of(IReadOnlyList<SentTransaction> sent, IReadOnlyList<(OutPoint OutPoint, Sela Amount, uint Height)> received, uint tip)
    {
        HashSet<Hash256> ours = [.. sent.Select(transaction => transaction.Transaction.Id)];
        IEnumerable<HistoryEntry> outgoing = sent.Select(transaction => new HistoryEntry(
            transaction.Transaction.Id,
            transaction.Transaction.Type == TransactionType.Record ? HistoryKind.Record : HistoryKind.Sent,
            transaction.GivenUp ? HistoryState.GivenUp : transaction.Height is null ? HistoryState.Pending : HistoryState.Mined,
            transaction.Amount, transaction.Fee, transaction.Recipient, transaction.Note, transaction.Height, Confirmations(transaction.Height, tip)));
        IEnumerable<HistoryEntry> incoming = received.Where(payment => !ours.Contains(payment.OutPoint.TransactionId)).Select(payment => new HistoryEntry(
            payment.OutPoint.TransactionId, HistoryKind.Received, HistoryState.Mined, payment.Amount, Sela.Zero, "", "", payment.Height, Confirmations(payment.Height, tip)));
        return [.. outgoing.Concat(incoming).OrderBy(entry => entry.Height ?? uint.MaxValue)];
    }

    private static uint Confirmations(uint? height, uint tip) => height is { } mined && mined <= tip ? tip - mined + 1 : 0;
}

/// <summary>One line of the history.</summary>
public sealed record HistoryEntry(
    Hash256 TransactionId, HistoryKind Kind, HistoryState State, Sela Amount, Sela Fee, string Recipient, string Note, uint? Height, uint Confirmations);

public enum HistoryKind
{
    Sent,
    Received,
    Record,
}

public enum HistoryState
{
    Pending,
    Mined,
    GivenUp,
}
