namespace Carrier.Core.Session;

/// <summary>Who dialled. The initiator chooses the path; the responder follows it.</summary>
public enum SessionRole
{
    Initiator,
    Responder,
}

/// <summary>Where a session is in its life (RFC 9000 §10 for the last three).</summary>
public enum SessionState
{
    /// <summary>Keys agreed; nothing authenticated heard from the peer yet. A responder sends nothing here: a replayed initiation costs nobody a packet.</summary>
    Unconfirmed,

    /// <summary>The peer has proved that it holds the keys.</summary>
    Open,

    /// <summary>We closed: CLOSE is repeated, at a falling rate, to whoever still sends.</summary>
    Closing,

    /// <summary>The peer closed: we send nothing and wait for stray packets to die.</summary>
    Draining,

    /// <summary>Over; every buffer is returned.</summary>
    Closed,
}
