namespace Carrier.Core;

/// <summary>What a machine put into the buffer it was handed: one datagram, or several equal ones for one segmented send.</summary>
/// <param name="Path">Where they go.</param>
/// <param name="Bytes">All bytes written, at most the buffer's length.</param>
/// <param name="SegmentBytes">The size of every datagram but the last, which may be shorter. Equal to <paramref name="Bytes"/> for one datagram.</param>
/// <param name="Ecn">How all of them are to be marked; a driver that cannot need not.</param>
public readonly record struct Transmit(NetworkPath Path, int Bytes, int SegmentBytes, EcnCodepoint Ecn = EcnCodepoint.NotCapable);
