using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>What the two sides of a channel say to each other. The channel's name is its funding transaction's id, which either can compute.</summary>
public abstract record ChannelMessage(Hash256 Channel);

/// <summary>Payer to payee: these are the terms, and these are the three transactions, whole and unsigned, so that nothing has to be believed.</summary>
public sealed record OpenMessage(Hash256 Channel, ChannelTerms Terms, ReadOnlyMemory<byte> Funding, ReadOnlyMemory<byte> Gate, ReadOnlyMemory<byte> Refund)
    : ChannelMessage(Channel);

/// <summary>Payee to payer: its signatures on gate and refund. Only now may the payer broadcast the funding transaction.</summary>
public sealed record AcceptMessage(Hash256 Channel, ChannelSignature Gate, ChannelSignature Refund) : ChannelMessage(Channel);

/// <summary>Payee to payer: not like this.</summary>
public sealed record RefuseMessage(Hash256 Channel, ChannelRefusal Reason) : ChannelMessage(Channel);

/// <summary>Payer to payee: its signature on the close that pays <paramref name="Cumulative"/> in all. It replaces every voucher before it.</summary>
/// <param name="Sequence">Counts the vouchers from 1; only for people and logs, the amount decides.</param>
public sealed record VoucherMessage(Hash256 Channel, ulong Sequence, Sela Cumulative, ChannelSignature Signature) : ChannelMessage(Channel);

/// <summary>Payee to payer: this voucher, and with it every smaller one, is on disk.</summary>
public sealed record AckMessage(Hash256 Channel, ulong Sequence, Sela Cumulative) : ChannelMessage(Channel);

/// <summary>Either side: the channel is closing with what was paid so far; no voucher is taken any more.</summary>
public sealed record CloseMessage(Hash256 Channel, Sela Cumulative) : ChannelMessage(Channel);

/// <summary>Payer to payee: my last voucher, which ends the channel; sign it too and both of us can broadcast it.</summary>
public sealed record CooperativeCloseMessage(Hash256 Channel, ulong Sequence, Sela Cumulative, ChannelSignature Signature) : ChannelMessage(Channel);

/// <summary>Payee to payer: its signature on the close asked for.</summary>
public sealed record CoSignedMessage(Hash256 Channel, Sela Cumulative, ChannelSignature Signature) : ChannelMessage(Channel);

/// <summary>Both, whenever they meet again: the highest voucher known here, with the payer's signature that proves it. Zero and no signature where there is none.</summary>
/// <param name="Acknowledged">The highest amount known to be on the payee's disk: a payee that has less was rolled back.</param>
/// <param name="Delivered">The worth of what was received or served: a payee that has less was rolled back.</param>
public sealed record ResumeMessage(Hash256 Channel, ulong Sequence, Sela Cumulative, ChannelSignature Signature, Sela Acknowledged, Sela Delivered)
    : ChannelMessage(Channel);

/// <summary>Payee to payer: nothing is known here of this channel; open it again.</summary>
public sealed record UnknownMessage(Hash256 Channel) : ChannelMessage(Channel);
