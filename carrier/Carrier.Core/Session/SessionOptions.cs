using Carrier.Core.Session.Recovery;

namespace Carrier.Core.Session;

/// <summary>What a node decides about its sessions. Sizes are bytes.</summary>
public sealed record SessionOptions
{
    public static SessionOptions Default { get; } = new();

    /// <summary>Limits the receive window of one stream may grow to: fills 1 Gbit/s at 130 ms.</summary>
    public long MaxStreamWindowBytes { get; init; } = 16 << 20;

    /// <summary>Limit the receive window of a session may grow to: what one peer can make us hold.</summary>
    public long MaxSessionWindowBytes { get; init; } = 24 << 20;

    /// <summary>Written, unacknowledged bytes a stream holds before a write is cut short.</summary>
    public int MaxSendBufferBytes { get; init; } = 16 << 20;

    /// <summary>Written bytes any stream may hold that were not sent yet. It may hold up to a congestion window of them while the node's streams together
    /// hold less than <see cref="SharedBytes"/>: one fast stream never runs dry, and four hundred stay in the processor's cache.</summary>
    public int MinUnsentBytes { get; init; } = 16 << 20;

    /// <summary>Bytes that all streams of a node, as senders and receivers, share out among them before each is left with <see cref="MinUnsentBytes"/>.</summary>
    public long SharedBytes { get; init; } = 32 << 20;

    /// <summary>Datagrams waiting, each way.</summary>
    public int MaxDatagramQueueBytes { get; init; } = 256 << 10;

    /// <summary>The largest session packet looked for on a direct path, header and tag included (RFC 8899). Paths begin at 1,200 whatever it says.</summary>
    public int MaxPacketBytes { get; init; } = 1_452;

    /// <summary>Which congestion controller this side's paths get. The peer's is its own choice.</summary>
    public CongestionControl CongestionControl { get; init; }

    /// <summary>Whether to keep an idle session and its NAT bindings alive.</summary>
    public bool KeepAlive { get; init; } = true;

    /// <summary>Packets sealed under one key before it is replaced; a cipher's own limit, halved, may come first.</summary>
    public ulong KeyUpdatePackets { get; init; } = 1UL << 24;

    /// <summary>How often, on average, a packet number is left out, so that a peer that acknowledges what it did not get is caught
    /// (RFC 9000 §21.4). 0 is never.</summary>
    public int SkipNumberEvery { get; init; } = 512;

    /// <summary>The nearest scope a peer may lead us into with an address of its own. The scopes of paths our own node adds count as well.
    /// Keeps a public peer from having us knock at loopback and private addresses.</summary>
    public AddressScope NearestScope { get; init; } = AddressScope.Global;
}
