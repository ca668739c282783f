using Carrier.Chain.Primitives;
using Carrier.Core.Identity;

namespace Carrier.Chain.Channels;

/// <summary>What both sides of a channel agreed on: enough to build every transaction of it but the funding one.</summary>
/// <param name="Payer">Whose coins fund it, and who gets what is left.</param>
/// <param name="Payee">Who is paid.</param>
/// <param name="Deposit">The value of the deposit, output 0 of the funding transaction.</param>
/// <param name="Fee">What each of gate, refund and close pays the miner. There is no replacement on this chain, so it is fixed here.</param>
/// <param name="LockHeight">L: the gate can be mined in block L + 1 at the earliest, the refund after it.</param>
public sealed record ChannelTerms(OwnerPublicKey Payer, OwnerPublicKey Payee, Sela Deposit, Sela Fee, uint LockHeight)
{
    /// <summary>The fees the two transactions of the refund path take.</summary>
    private const int RefundPathTransactions = 2;

    /// <summary>The value of the ticket, output 1 of the funding transaction: the fees of gate and refund, so that a refund returns the whole deposit.</summary>
    public Sela Ticket => new(RefundPathTransactions * Fee.Value);

    /// <summary>What the gate leaves for the refund.</summary>
    public Sela GateOutput => Ticket - Fee;

    /// <summary>The most that can be paid: the deposit without the fee of the close.</summary>
    public Sela Capacity => Deposit - Fee;

    /// <summary>Whether the amounts make sense: a fee the chain takes, something to pay with, and nothing that could overflow.</summary>
    public bool AmountsAreSound =>
        Fee.Value is >= ChannelLimits.MinFee and <= ChannelLimits.MaxFee
        && Deposit > Fee
        && Deposit.TryAdd(Ticket, out _);
}
