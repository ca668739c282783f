namespace Carrier.Core.Session.Recovery;

/// <summary>Consecutive packet numbers, both ends included, as an ACK frame carries them (RFC 9000 §19.3.1).</summary>
public readonly record struct AckRange(ulong Smallest, ulong Largest)
{
    public ulong Count => Largest - Smallest + 1;

    public bool Contains(ulong packetNumber) => packetNumber >= Smallest && packetNumber <= Largest;
}
