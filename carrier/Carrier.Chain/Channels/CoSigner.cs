using Carrier.Chain.Transactions;

namespace Carrier.Chain.Channels;

/// <summary>The only way to a signature over a channel's outputs: every transaction is judged before the key sees it, whoever wants it signed.</summary>
/// <remarks>
/// The rules follow from what was seen on a real node. Sequence 0x0000FFFF on every input lifts a lock time, so a gate or refund with it could be mined at
/// once. A close that spent the ticket would be pinned by a gate waiting in a pool. A gate locked to another height moves the payee's deadline. What passes
/// the named rules must still be, byte for byte, what this side built itself.
/// </remarks>
public sealed class CoSigner(ChannelTransactions transactions, IChannelSigner key)
{
    public ChannelTransactions Transactions { get; } = transactions;

    /// <summary>Signs <paramref name="transaction"/> if it is the gate, the refund or a close of this channel.</summary>
    public ChannelRefusal TrySign(Transaction transaction, out ChannelSignature signature)
    {
        ChannelRefusal refusal = Judge(Transactions, transaction);
        signature = refusal == ChannelRefusal.None ? key.Sign(transaction.EncodeUnsigned()) : default;
        return refusal;
    }

    /// <summary>What is wrong with a transaction that spends outputs of the channel.</summary>
    public static ChannelRefusal Judge(ChannelTransactions channel, Transaction transaction)
    {
        ArgumentNullException.ThrowIfNull(channel);
        ArgumentNullException.ThrowIfNull(transaction);
        bool spendsDeposit = transaction.Inputs.Any(input => input.Previous == channel.Deposit);
        bool spendsTicket = transaction.Inputs.Any(input => input.Previous == channel.Ticket);
        if (transaction.Inputs.Any(input => input.Sequence == Finality.FinalSequence))
        {
            return ChannelRefusal.SequenceLiftsLock;
        }

        if (spendsTicket && (spendsDeposit || transaction.Inputs.Length != 1))
        {
            return ChannelRefusal.SpendsTicket;
        }

        if (transaction.LockTime != (spendsTicket ? channel.Terms.LockHeight : 0))
        {
            return ChannelRefusal.WrongLock;
        }

        bool isOurs = spendsTicket ? IsSame(transaction, channel.Gate)
            : spendsDeposit && (IsSame(transaction, channel.Refund) || IsClose(channel, transaction));
        return isOurs ? ChannelRefusal.None : ChannelRefusal.NotAsAgreed;
    }

    private static bool IsSame(Transaction transaction, Transaction built) => transaction.Id == built.Id;

    /// <summary>A close is one for some amount, and the first output says for which.</summary>
    private static bool IsClose(ChannelTransactions channel, Transaction transaction) =>
        transaction.Outputs.Length > 0
        && transaction.Outputs[0].Value <= channel.Terms.Capacity
        && (IsSame(transaction, channel.Close(transaction.Outputs[0].Value)) || IsSame(transaction, channel.Close(Primitives.Sela.Zero)));
}
