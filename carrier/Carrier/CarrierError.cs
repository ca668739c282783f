namespace Carrier;

/// <summary>Why something asked of a node, a session or a stream did not come about.</summary>
public enum CarrierError
{
    None,

    /// <summary>The network answered and knows no device of this TrustID: none has been online lately.</summary>
    NotFound,

    /// <summary>Devices of this TrustID are known, but none answered on any path.</summary>
    Unreachable,

    /// <summary>No node of the network answered: this machine is offline, or its seeds are.</summary>
    NetworkUnreachable,

    /// <summary>No device of this TrustID holds a delegation that is valid now.</summary>
    NotTrusted,

    /// <summary>The peer is there and refused.</summary>
    Refused,

    TimedOut,

    /// <summary>This side closed the session.</summary>
    Closed,

    /// <summary>The peer closed the session.</summary>
    ClosedByPeer,

    /// <summary>Nothing was heard of the peer for the idle timeout.</summary>
    IdleTimeout,

    /// <summary>The peer listens to no such protocol.</summary>
    ProtocolNotSpoken,

    /// <summary>One side broke the rules of the transport.</summary>
    TransportFailed,

    /// <summary>The peer restarted and no longer knows the session.</summary>
    SessionReset,

    /// <summary>One side gave up this stream.</summary>
    StreamReset,

    /// <summary>This node was disposed, or its network thread failed.</summary>
    NodeStopped,

    /// <summary>This node has too much under way, or no identity to do it with.</summary>
    Busy,
}
