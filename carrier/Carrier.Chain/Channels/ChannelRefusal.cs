using System.Diagnostics.CodeAnalysis;

namespace Carrier.Chain.Channels;

/// <summary>Why a channel, or a signature on one of its transactions, is refused. The numbers are on the wire.</summary>
[SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "A wire byte.")]
public enum ChannelRefusal : byte
{
    /// <summary>Nothing is wrong.</summary>
    None = 0,

    /// <summary>The bytes are no transaction, or the id given is not theirs.</summary>
    Malformed = 1,

    /// <summary>The terms name another payee, or payer and payee are one.</summary>
    WrongParties = 2,

    /// <summary>Fee or deposit is out of bounds, or below what this payee takes.</summary>
    Amounts = 3,

    /// <summary>L is too near for this payee to close in time, or beyond reason.</summary>
    LockHeight = 4,

    /// <summary>Output 0 is not the deposit as agreed: value, 2-of-2 program, asset, no output lock.</summary>
    Deposit = 5,

    /// <summary>Output 1 is not the ticket as agreed.</summary>
    Ticket = 6,

    /// <summary>The funding transaction has a lock time or pays by other means than a plain transfer.</summary>
    Funding = 7,

    /// <summary>An input has sequence 0x0000FFFF, which lifts the lock time: the transaction could be mined at once.</summary>
    SequenceLiftsLock = 8,

    /// <summary>The gate is not locked to L, or what must not be locked is.</summary>
    WrongLock = 9,

    /// <summary>The ticket is spent by something else than the gate: a gate in a pool would pin it, and a close with it.</summary>
    SpendsTicket = 10,

    /// <summary>Inputs, outputs, amounts or attributes differ from what the terms say.</summary>
    NotAsAgreed = 11,

    /// <summary>This side is not taking channels, or no more of them.</summary>
    NotNow = 12,
}
