namespace Carrier.Nat;

/// <summary>Address families, of which a network may carry one and not the other.</summary>
[Flags]
public enum IPFamilies
{
    None = 0,
    IPv4 = 1,
    IPv6 = 2,
    Both = IPv4 | IPv6,
}
