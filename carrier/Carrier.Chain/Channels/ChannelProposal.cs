using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Chain.Channels;

/// <summary>What a payee looks at before it signs anything: the three transactions whole, every id computed here.</summary>
public static class ChannelProposal
{
    /// <summary>Judges a proposal.</summary>
    /// <param name="open">As received.</param>
    /// <param name="payee">The one who judges.</param>
    /// <param name="policy">What it takes.</param>
    /// <param name="height">The tip's height; null where L no longer matters, because the channel is funded and will be closed at once.</param>
    public static ChannelRefusal Judge(OpenMessage open, OwnerPublicKey payee, PayeePolicy policy, uint? height)
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentNullException.ThrowIfNull(policy);
        ChannelTerms terms = open.Terms;
        if (terms.Payee != payee || terms.Payer.Span[1..].SequenceEqual(terms.Payee.Span[1..]))
        {
            return ChannelRefusal.WrongParties;
        }

        if (!terms.AmountsAreSound || terms.Deposit < policy.MinDeposit || terms.Fee < policy.MinFee)
        {
            return ChannelRefusal.Amounts;
        }

        if (height is { } tip && !policy.Takes(terms.LockHeight, tip))
        {
            return ChannelRefusal.LockHeight;
        }

        ChannelRefusal refusal = JudgeFunding(open, terms);
        if (refusal != ChannelRefusal.None)
        {
            return refusal;
        }

        var built = new ChannelTransactions(terms, open.Channel);
        refusal = JudgeCommitment(built, open.Gate, built.Gate.Id);
        return refusal != ChannelRefusal.None ? refusal : JudgeCommitment(built, open.Refund, built.Refund.Id);
    }

    /// <summary>Reads a transaction that travels unsigned: its unsigned part and a count of no programs.</summary>
    internal static bool TryReadUnsigned(ReadOnlySpan<byte> bytes, out Transaction? transaction) =>
        Transaction.TryParse(bytes, out transaction) == TransactionReading.Read && transaction is { Programs.IsEmpty: true };

    private static ChannelRefusal JudgeFunding(OpenMessage open, ChannelTerms terms)
    {
        if (!TryReadUnsigned(open.Funding.Span, out Transaction? funding) || funding!.Id != open.Channel)
        {
            return ChannelRefusal.Malformed;
        }

        if (funding is not { Version: TransactionVersion.V9, Type: TransactionType.TransferAsset, LockTime: 0, Payload.IsEmpty: true })
        {
            return ChannelRefusal.Funding;
        }

        // Value, owner, asset and an output lock of zero, all at once: a lock here would make every close invalid.
        TransactionOutput[] expected = [.. ChannelTransactions.FundingOutputs(terms)];
        if (funding.Outputs.Length <= ChannelTransactions.DepositIndex || funding.Outputs[ChannelTransactions.DepositIndex] != expected[0])
        {
            return ChannelRefusal.Deposit;
        }

        return funding.Outputs.Length <= ChannelTransactions.TicketIndex || funding.Outputs[ChannelTransactions.TicketIndex] != expected[1]
            ? ChannelRefusal.Ticket
            : ChannelRefusal.None;
    }

    private static ChannelRefusal JudgeCommitment(ChannelTransactions built, ReadOnlyMemory<byte> received, Hash256 expected)
    {
        if (!TryReadUnsigned(received.Span, out Transaction? transaction))
        {
            return ChannelRefusal.Malformed;
        }

        ChannelRefusal refusal = CoSigner.Judge(built, transaction!);
        return refusal != ChannelRefusal.None || transaction!.Id == expected ? refusal : ChannelRefusal.NotAsAgreed;
    }
}
