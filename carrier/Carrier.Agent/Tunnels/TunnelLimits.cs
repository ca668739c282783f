namespace Carrier.Agent.Tunnels;

/// <summary>What bounds tunnels, whoever is at the other end.</summary>
internal static class TunnelLimits
{
    /// <summary>The protocol of a session that carries tunnels. Only the dialler opens streams.</summary>
    public const string Protocol = "carrier/services/1";

    /// <summary>A request with the longest name takes 80 bytes; the rest is room for later keys.</summary>
    public const int MaxRequestBytes = 128;

    /// <summary>An answer takes 3 bytes; the rest is room for later keys.</summary>
    public const int MaxAnswerBytes = 64;

    /// <summary>The largest UDP payload there is over IPv4.</summary>
    public const int MaxDatagramBytes = 65_507;

    /// <summary>Flow numbers count up and are never used twice in a session; a session that has used them all is replaced.</summary>
    public const ulong MaxFlowId = (1UL << 30) - 1;

    /// <summary>Datagrams of a flow that wait for its stream: while it opens, or because they do not fit a session datagram.</summary>
    public const int MaxWaitingDatagrams = 64;

    /// <summary>UDP flows of one forward, and of one session: a game or a resolver has far fewer, and each holds a 64 KB buffer where it is served.</summary>
    public const int MaxFlows = 256;

    /// <summary>Connections of one service at one time, unless told otherwise.</summary>
    public const int DefaultConnections = 2_048;

    /// <summary>Connections of one peer to one service, unless told otherwise: as many as a session has streams.</summary>
    public const int DefaultPerPeer = 1_024;

    /// <summary>Connections through one local port at one time; more wait in the system's backlog.</summary>
    public const int MaxLocalConnections = 2_048;

    /// <summary>Peers with a session for forwards at one time: SOCKS lets any local program name one.</summary>
    public const int MaxPeers = 256;

    /// <summary>How long a request, an answer or a SOCKS greeting may take once its stream or connection is there.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>A session that has shown no sign of its peer for this long is asked for one before it carries something new.</summary>
    public static readonly TimeSpan PresenceLasts = TimeSpan.FromSeconds(10);

    /// <summary>… and for this long, while it carries something new: that has then a few seconds to fail, instead of the idle timeout.</summary>
    public static readonly TimeSpan PresenceAssumed = TimeSpan.FromSeconds(1);

    /// <summary>How long that sign may take; a peer that restarted would otherwise be missed for the session's whole idle timeout.</summary>
    public static readonly TimeSpan PresencePatience = TimeSpan.FromSeconds(4);

    /// <summary>How long a service's target may take to accept. Shorter than <see cref="Patience"/>, so that the peer hears of it.</summary>
    public static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(10);

    /// <summary>A UDP flow ends after this much silence, both ways: the two minutes NATs should keep a mapping (RFC 4787 §4.3).</summary>
    public static readonly TimeSpan FlowIdle = TimeSpan.FromMinutes(2);

    /// <summary>A session nobody uses any more is closed after this.</summary>
    public static readonly TimeSpan SessionIdle = TimeSpan.FromMinutes(1);
}
