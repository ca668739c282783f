using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>What the shell does for a channel machine, in the order given.</summary>
public abstract record ChannelEffect;

/// <summary>Write this, flushed, then call <c>Persisted</c> with <paramref name="Ticket"/>. What follows from it is held back until then.</summary>
public sealed record PersistEffect(ChannelRecord Record, ulong Ticket) : ChannelEffect;

/// <summary>Send this to the other side.</summary>
public sealed record SendEffect(ChannelMessage Message) : ChannelEffect;

/// <summary>Hand this transaction to every node known; that it is known already is no error.</summary>
public sealed record BroadcastEffect(Hash256 Txid, ReadOnlyMemory<byte> Transaction, BroadcastKind Kind) : ChannelEffect;

/// <summary>Payee: deliver <paramref name="Worth"/> now, which makes <paramref name="Delivered"/> in all.</summary>
public sealed record ServeEffect(Sela Worth, Sela Delivered) : ChannelEffect;

/// <summary>Payee: hand this to the watchtower, then call <c>Escrowed</c>.</summary>
public sealed record EscrowEffect(CloseEscrow Close) : ChannelEffect;

/// <summary>The channel is over.</summary>
public sealed record EndedEffect(ChannelState State, ChannelRefusal Reason) : ChannelEffect;

/// <summary>Which transaction of a channel it is.</summary>
public enum BroadcastKind
{
    Funding,
    Gate,
    Refund,
    Close,
}
