using Carrier.Core.Session.Streams;

namespace Carrier.Core.Session;

public enum SessionEffectKind
{
    /// <summary>The first authenticated packet came from the peer: a responder's session is real from now on.</summary>
    Confirmed,

    /// <summary>The peer opened <see cref="SessionEffect.Stream"/>.</summary>
    StreamOpened,

    /// <summary>Bytes or the end of a stream can be read. Said again only after a read found nothing more.</summary>
    StreamReadable,

    /// <summary>The peer gave up sending, with <see cref="SessionEffect.Code"/>; unread bytes are gone.</summary>
    StreamReset,

    /// <summary>The peer does not want the stream, with <see cref="SessionEffect.Code"/>; our half was reset.</summary>
    StopSending,

    /// <summary>A write that was cut short can go on.</summary>
    StreamWritable,

    /// <summary>At least one datagram can be read. Said again only after a read found none.</summary>
    DatagramReceived,

    /// <summary>The peer raised how many streams we may open.</summary>
    StreamsAvailable,

    /// <summary>Packets leave over <see cref="SessionEffect.Path"/> from now on.</summary>
    PathChanged,

    /// <summary>The peer sees us at <see cref="SessionEffect.Path"/>'s endpoint: our reflexive address, by its word.</summary>
    AddressObserved,

    /// <summary>The peer calls us to meet it behind its NAT: <see cref="SessionMachine.PeerPunchCall"/>.</summary>
    PunchCalled,

    /// <summary>The path in use swallows what is sent: whoever knows another way to the peer should try it.</summary>
    Silent,

    /// <summary>Packets to <see cref="SessionEffect.Id"/> are this session's: enter it in the demultiplexing table.</summary>
    ConnectionIdIssued,

    /// <summary>Packets to <see cref="SessionEffect.Id"/> are nobody's: take it out.</summary>
    ConnectionIdRetired,

    /// <summary>The session is over, as <see cref="SessionMachine.CloseReason"/> says; late packets may still be handed to it.</summary>
    Closed,
}

/// <summary>Something the owner of a session does or tells its application. Which members mean something, the kind says.</summary>
public readonly record struct SessionEffect(
    SessionEffectKind Kind, StreamId Stream = default, ulong Code = 0, NetworkPath Path = default, ConnectionId Id = default);
