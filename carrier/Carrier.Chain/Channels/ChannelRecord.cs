using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>What one side keeps of a channel: written before anything that depends on it leaves this machine.</summary>
/// <remarks>Immutable; each change is a new record, and the store replaces the old by it in one transaction.</remarks>
public sealed record ChannelRecord
{
    /// <summary>The id of the funding transaction.</summary>
    public required Hash256 Channel { get; init; }

    public required ChannelRole Role { get; init; }

    public required ChannelTerms Terms { get; init; }

    public required ChannelState State { get; init; }

    /// <summary>The funding transaction: signed on the payer's side, unsigned on the payee's.</summary>
    public required ReadOnlyMemory<byte> Funding { get; init; }

    /// <summary>The payee's signature on the gate; on the payer's side, before funding is broadcast.</summary>
    public ChannelSignature Gate { get; init; }

    /// <summary>The payee's signature on the refund; on the payer's side, before funding is broadcast.</summary>
    public ChannelSignature Refund { get; init; }

    /// <summary>Counts the vouchers.</summary>
    public ulong Sequence { get; init; }

    /// <summary>What the highest voucher pays in all. It never falls.</summary>
    public Sela Cumulative { get; init; }

    /// <summary>The payer's signature on the close of the highest voucher.</summary>
    public ChannelSignature Voucher { get; init; }

    /// <summary>The payee's signature on the close both agreed to end with; none unless there was such an agreement.</summary>
    public ChannelSignature CoSigned { get; init; }

    /// <summary>The worth of what was delivered for the vouchers: received on the payer's side, served on the payee's.</summary>
    public Sela Delivered { get; init; }

    /// <summary>The highest voucher of which the payer knows that the payee has it on disk.</summary>
    public Sela Acknowledged { get; init; }

    /// <summary>What this side lets the other owe it, set when it made the channel: on the payer's side, how far it pays ahead.</summary>
    public Sela Window { get; init; }

    /// <summary>This side lost its record and has it back from the other: the channel is only closed any more.</summary>
    public bool IsRestored { get; init; }
}

/// <summary>Which end of the channel this is.</summary>
public enum ChannelRole
{
    Payer,
    Payee,
}

/// <summary>How far a channel is.</summary>
public enum ChannelState
{
    /// <summary>The payer has proposed it and waits.</summary>
    Proposed,

    /// <summary>Both signed; the funding transaction is on its way into the chain.</summary>
    Funding,

    /// <summary>Vouchers flow.</summary>
    Open,

    /// <summary>No voucher is taken any more; a close is on its way into the chain.</summary>
    Closing,

    /// <summary>A close is buried.</summary>
    Closed,

    /// <summary>The lock height passed without a close: gate and refund are on their way into the chain.</summary>
    Refunding,

    /// <summary>The refund is buried.</summary>
    Refunded,

    /// <summary>It never came to be: refused, or never funded.</summary>
    Abandoned,
}
