namespace Carrier.Nat;

/// <summary>What else is known of the network before us. Bits are on the wire: never renumber; those not understood are ignored.</summary>
[Flags]
public enum NatTraits
{
    None = 0,

    /// <summary>An own address lies in the space carriers share (RFC 6598): one more NAT is beyond our gateway.</summary>
    CarrierGrade = 1,

    /// <summary>Two hosts behind the NAT have met by their external endpoints (RFC 4787 §6).</summary>
    Hairpins = 2,

    /// <summary>A global IPv6 address is in use.</summary>
    HasIPv6 = 4,

    /// <summary>Nobody answered over UDP.</summary>
    UdpBlocked = 8,
}
