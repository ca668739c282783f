namespace Carrier.Core.Session.Recovery;

/// <summary>Packets received by how they were marked: what an ACK with counts tells, ever growing (RFC 9000 §19.3.2).</summary>
public record struct EcnCounts(ulong Capable0, ulong Capable1, ulong CongestionExperienced)
{
    public readonly bool Any => (Capable0 | Capable1 | CongestionExperienced) != 0;

    public void Count(EcnCodepoint mark)
    {
        Capable0 += mark == EcnCodepoint.Capable0 ? 1UL : 0;
        Capable1 += mark == EcnCodepoint.Capable1 ? 1UL : 0;
        CongestionExperienced += mark == EcnCodepoint.CongestionExperienced ? 1UL : 0;
    }
}
