using System.Collections.Immutable;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Channels;

/// <summary>Builds the transactions of a channel from its terms: each side its own copies, so that nothing received is ever signed or broadcast unseen.</summary>
/// <remarks>
/// <code>
///  funding   the payer's coins          → 0 deposit (2 of 2), 1 ticket (2 of 2), change
///  gate      funding:1, FFFFFFFE, L     → 0 ticket − fee to the payer                     mined at L + 1 at the earliest
///  refund    funding:0, gate:0          → 0 deposit to the payer                          no pool takes it before the gate is mined
///  close c   funding:0                  → c to the payee, deposit − c − fee to the payer  one for each voucher
/// </code>
/// Zero outputs are left out. There are no attributes: the ids follow from the terms and the funding transaction's id alone.
/// </remarks>
public sealed class ChannelTransactions
{
    /// <summary>The deposit's place in the funding transaction.</summary>
    public const ushort DepositIndex = 0;

    /// <summary>The ticket's place in the funding transaction.</summary>
    public const ushort TicketIndex = 1;

    /// <summary>Binds a close to nothing: it has no lock time.</summary>
    private const uint CloseSequence = 0xFFFF_FFFF;

    private readonly ProgramHash _payer;
    private readonly ProgramHash _payee;

    public ChannelTransactions(ChannelTerms terms, Hash256 funding)
    {
        ArgumentNullException.ThrowIfNull(terms);
        Terms = terms;
        Funding = funding;
        Script = ScriptOf(terms);
        _payer = ProgramHash.FromTrustId(terms.Payer.TrustId);
        _payee = ProgramHash.FromTrustId(terms.Payee.TrustId);
        Gate = new Transaction
        {
            Inputs = [new TransactionInput(Ticket, Finality.LockedSequence)],
            Outputs = [new TransactionOutput(terms.GateOutput, _payer)],
            LockTime = terms.LockHeight,
        };
        Refund = new Transaction
        {
            Inputs = [new TransactionInput(Deposit, Finality.LockedSequence), new TransactionInput(new OutPoint(Gate.Id, 0))],
            Outputs = [new TransactionOutput(terms.Deposit + terms.GateOutput - terms.Fee, _payer)],
        };
    }

    public ChannelTerms Terms { get; }

    /// <summary>The id of the funding transaction: the channel's name.</summary>
    public Hash256 Funding { get; }

    /// <summary>The 2-of-2 that owns deposit and ticket.</summary>
    public RedeemScript Script { get; }

    public OutPoint Deposit => new(Funding, DepositIndex);

    public OutPoint Ticket => new(Funding, TicketIndex);

    /// <summary>Unsigned.</summary>
    public Transaction Gate { get; }

    /// <summary>Unsigned.</summary>
    public Transaction Refund { get; }

    /// <summary>The 2-of-2 of payer and payee, keys in order of X.</summary>
    public static RedeemScript ScriptOf(ChannelTerms terms)
    {
        ArgumentNullException.ThrowIfNull(terms);
        return RedeemScript.MultiSignature(2, terms.Payer, terms.Payee);
    }

    /// <summary>The first two outputs of a funding transaction; the payer's wallet adds inputs and change.</summary>
    public static ImmutableArray<TransactionOutput> FundingOutputs(ChannelTerms terms)
    {
        ProgramHash owner = ScriptOf(terms).ProgramHash;
        return [new TransactionOutput(terms.Deposit, owner), new TransactionOutput(terms.Ticket, owner)];
    }

    /// <summary>The close that pays the payee <paramref name="cumulative"/> in all, unsigned.</summary>
    /// <exception cref="OverflowException">More than the capacity.</exception>
    public Transaction Close(Sela cumulative)
    {
        Sela rest = Terms.Capacity - cumulative;
        var toPayee = new TransactionOutput(cumulative, _payee);
        var toPayer = new TransactionOutput(rest, _payer);
        return new Transaction
        {
            Inputs = [new TransactionInput(Deposit, CloseSequence)],
            Outputs = cumulative.Value == 0 ? [toPayer] : rest.Value == 0 ? [toPayee] : [toPayee, toPayer],
        };
    }

    /// <summary>A gate or close with both signatures, ready for a node.</summary>
    public Transaction WithSignatures(Transaction transaction, ChannelSignature payer, ChannelSignature payee)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return transaction.WithPrograms(Script.Program(payer.Span.ToArray(), payee.Span.ToArray()));
    }

    /// <summary>The refund with both signatures; the payer's also spends what the gate left to it.</summary>
    public Transaction RefundWithSignatures(ChannelSignature payer, ChannelSignature payee) =>
        Refund.WithPrograms(
            Script.Program(payer.Span.ToArray(), payee.Span.ToArray()),
            RedeemScript.Standard(Terms.Payer).Program(payer.Span.ToArray()));
}
