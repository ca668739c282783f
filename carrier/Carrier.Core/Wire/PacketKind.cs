namespace Carrier.Core.Wire;

/// <summary>The first byte of every datagram on the shared socket. 0x00–0x03 is STUN (RFC 8489 §5, RFC 7983); anything not named here is dropped.</summary>
public enum PacketKind : byte
{
    SealedQuestion = 0x40,
    SealedAnswer = 0x41,
    RelayData = 0x42,
    HandshakeInitiation = 0x50,
    HandshakeResponse = 0x51,
    HandshakeRetry = 0x52,
    SessionPhase0 = 0x60,
    SessionPhase1 = 0x61,
    SessionReset = 0x62,
}
