namespace Carrier.Core.Session.Frames;

/// <summary>The first varint of a frame. Numbers follow RFC 9000 §19 and RFC 9221 where those have the frame.</summary>
public enum FrameType : ulong
{
    Padding = 0x00,
    Ping = 0x01,
    Ack = 0x02,

    /// <summary>ACK followed by <see cref="Recovery.EcnCounts"/>.</summary>
    AckEcn = 0x03,
    ResetStream = 0x04,
    StopSending = 0x05,

    /// <summary>0x08–0x0F: the three low bits are <see cref="StreamFrame.FinBit"/>, <see cref="StreamFrame.LengthBit"/>, <see cref="StreamFrame.OffsetBit"/>.</summary>
    Stream = 0x08,
    StreamLast = 0x0F,
    MaxData = 0x10,
    MaxStreamData = 0x11,
    MaxStreamsBidirectional = 0x12,
    MaxStreamsUnidirectional = 0x13,
    NewConnectionId = 0x18,
    RetireConnectionId = 0x19,
    PathChallenge = 0x1A,
    PathResponse = 0x1B,

    /// <summary>CLOSE by the transport, with a <see cref="CloseCode"/>.</summary>
    Close = 0x1C,

    /// <summary>CLOSE by the application, with its own code.</summary>
    ApplicationClose = 0x1D,

    /// <summary>Endpoints the sender may be reached at: the receiver challenges them.</summary>
    Candidates = 0x20,

    /// <summary>The endpoint the sender of this frame sees the receiver at.</summary>
    ObservedAddress = 0x21,

    /// <summary>A DATAGRAM to the end of the packet; 0x31 states its length.</summary>
    Datagram = 0x30,
    DatagramWithLength = 0x31,
}
