namespace Carrier.Core.Session;

/// <summary>Why the transport ended a session, as carried by a CLOSE frame of the transport. Numbers follow RFC 9000 §20.1 where it has one.</summary>
public enum CloseCode : ulong
{
    /// <summary>Nothing is wrong: the node shuts down or no longer needs the session.</summary>
    NoError = 0x00,

    /// <summary>A defect or a limit on our side; the peer did nothing wrong.</summary>
    InternalError = 0x01,

    /// <summary>More stream data than MAX_DATA or MAX_STREAM_DATA allowed.</summary>
    FlowControl = 0x03,

    /// <summary>A stream beyond MAX_STREAMS.</summary>
    StreamLimit = 0x04,

    /// <summary>A frame for a stream that cannot take it: sending on our sending half, or naming a stream we never opened.</summary>
    StreamState = 0x05,

    /// <summary>The end of a stream moved, or data came beyond it.</summary>
    FinalSize = 0x06,

    /// <summary>A frame that does not parse, or is of an unknown type.</summary>
    FrameEncoding = 0x07,

    /// <summary>More connection ids than the limit, or one with two meanings.</summary>
    ConnectionIdLimit = 0x09,

    /// <summary>An acknowledgement of a packet never sent, an empty packet, a forbidden change: no honest peer does this.</summary>
    ProtocolViolation = 0x0A,

    /// <summary>The peer's next keys were used in a way that cannot be.</summary>
    KeyUpdate = 0x0E,

    /// <summary>The cipher may not open or seal more under its keys (RFC 9001 §6.6).</summary>
    AeadLimit = 0x0F,

    /// <summary>The peer made us owe it more answers than a session may keep.</summary>
    ResourceLimit = 0x10,
}

/// <summary>Who or what ended a session.</summary>
public enum CloseKind
{
    /// <summary>An application called close; the code is the application's own.</summary>
    Application,

    /// <summary>The transport found an error; the code is a <see cref="CloseCode"/>.</summary>
    Transport,

    /// <summary>Nothing was heard for the idle timeout.</summary>
    IdleTimeout,

    /// <summary>The peer's node proved that it no longer knows the session.</summary>
    StatelessReset,
}

/// <summary>How a session ended.</summary>
/// <param name="Code">The application's code, or a <see cref="CloseCode"/>.</param>
/// <param name="Reason">Text for a log, from a peer that may lie: encode it before showing it.</param>
public readonly record struct SessionClose(CloseKind Kind, ulong Code, string Reason, bool ByPeer);
