using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>What a payee takes, and what it puts at risk.</summary>
public sealed record PayeePolicy
{
    public Sela MinDeposit { get; init; } = new(ChannelLimits.DefaultFee);

    public Sela MinFee { get; init; } = new(ChannelLimits.MinFee);

    /// <summary>Confirmations of the funding transaction, seen through two nodes, before anything is credited.</summary>
    public uint Confirmations { get; init; } = ChannelLimits.FinalConfirmations;

    /// <summary>How many blocks before L it closes; <see cref="ChannelLimits.AlwaysOnMargin"/> or <see cref="ChannelLimits.SometimesOnMargin"/>.</summary>
    public uint CloseMargin { get; init; } = ChannelLimits.AlwaysOnMargin;

    /// <summary>Blocks a channel must at least be good for, after its confirmations and before the closing margin.</summary>
    public uint MinLifetime { get; init; } = 30;

    /// <summary>Blocks until L at most: coins of a stranger are not watched for years.</summary>
    public uint MaxLifetime { get; init; } = 262_800;

    /// <summary>How much may be delivered beyond what is paid: the most that can be lost.</summary>
    public Sela CreditWindow { get; init; }

    /// <summary>The balance at which it closes, so that less is at stake.</summary>
    public Sela CloseThreshold { get; init; } = Sela.Max;

    /// <summary>Whether a voucher counts only once the watchtower has it: then even a lost database costs no more than the window.</summary>
    public bool CountsOnlyEscrowed { get; init; }

    /// <summary>A gate seen in a pool within this many blocks of L makes the payee close at once.</summary>
    public uint GateAlarm => 4 * CloseMargin;

    /// <summary>Whether L leaves time to be confirmed, to be used and to be closed.</summary>
    public bool Takes(uint lockHeight, uint height) =>
        lockHeight <= ChannelLimits.MaxLockHeight
        && height <= ChannelLimits.MaxLockHeight
        && lockHeight >= height + Confirmations + MinLifetime + CloseMargin
        && lockHeight <= height + (ulong)MaxLifetime;
}

/// <summary>What a payer puts at risk.</summary>
public sealed record PayerPolicy
{
    /// <summary>How much may be paid beyond what was received: the most that can be lost, fees aside.</summary>
    public Sela PrepaidWindow { get; init; }

    /// <summary>Whether an acknowledgement counts as what was received. So it is where one simply pays: the receipt is all that is owed, and the window bounds what
    /// is on its way.</summary>
    public bool TakesReceipts { get; init; }
}

/// <summary>Why a payment is not made.</summary>
public enum PaymentRefusal
{
    None,

    /// <summary>The channel is not funded yet, closing, over, or came back after its record was lost.</summary>
    NotOpen,

    /// <summary>The deposit is used up.</summary>
    OverCapacity,

    /// <summary>More than the payer's window would be paid ahead of what was received.</summary>
    OverWindow,

    /// <summary>A payment of nothing.</summary>
    Nothing,
}
