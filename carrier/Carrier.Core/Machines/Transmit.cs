namespace Carrier.Core;

/// <summary>What a machine put into the buffer it was handed: one datagram, or several equal ones for one segmented send.</summary>
/// <param name="Path">Where they go.</param>
/// <param name="Bytes">All bytes written, at most the buffer's length.</param>
/// <param name="SegmentBytes">The size of every datagram but the last, which may be shorter. Equal to <paramref name="Bytes"/> for one datagram.</param>
/// <param name="Ecn">How all of them are to be marked; a driver that cannot need not.</param>
/// <param name="IsOpening">It shall open the NATs near us and go no farther: it leaves with a low TTL, so that nothing beyond sees it before its time.</param>
public readonly record struct Transmit(NetworkPath Path, int Bytes, int SegmentBytes, EcnCodepoint Ecn = EcnCodepoint.NotCapable, bool IsOpening = false)
{
    /// <summary>Both as one segmented send, where <paramref name="next"/> lies right behind this and differs in nothing but, perhaps, its last datagram's size.
    /// This must end with a datagram of full size.</summary>
    public bool TryJoin(in Transmit next, out Transmit joined)
    {
        joined = this with { Bytes = Bytes + next.Bytes };
        bool fits = next.SegmentBytes == SegmentBytes || (next.Bytes == next.SegmentBytes && next.Bytes < SegmentBytes);
        return fits && next.Path == Path && next.Ecn == Ecn && next.IsOpening == IsOpening;
    }
}
