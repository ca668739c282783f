namespace Carrier.Chain.Transactions;

/// <summary>When a transaction may be mined. Lock times are block heights and nothing else; there is no relative lock.</summary>
public static class Finality
{
    /// <summary>An input with it does not bind to the lock time: when every input has it, the transaction is final at once.</summary>
    public const uint FinalSequence = 0x0000_FFFF;

    /// <summary>The sequence an input must have to spend an output that carries an OutputLock; it leaves the lock time in force.</summary>
    public const uint LockedSequence = 0xFFFF_FFFE;

    /// <summary>True when block <paramref name="height"/> may hold the transaction: lock time zero, or below the height, or lifted by every input.</summary>
    public static bool IsFinalAt(Transaction transaction, uint height)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return transaction.LockTime == 0
            || transaction.LockTime < height
            || transaction.Inputs.All(input => input.Sequence == FinalSequence);
    }

    /// <summary>True when <paramref name="spender"/>'s input satisfies the OutputLock of the output it spends.</summary>
    public static bool SatisfiesOutputLock(Transaction spender, TransactionInput input, uint outputLock)
    {
        ArgumentNullException.ThrowIfNull(spender);
        return outputLock == 0 || (input.Sequence == LockedSequence && spender.LockTime >= outputLock);
    }
}
