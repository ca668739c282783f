using Carrier.Core;

namespace Carrier.Nat;

/// <summary>The scopes and families in which this device has addresses of its own, and the families with a route, hence candidates of others it could reach.</summary>
public readonly record struct LocalReach
{
    private const int ScopeBits = 8;

    private readonly ushort _bits;
    private readonly IPFamilies _routed;

    private LocalReach(ushort bits, IPFamilies routed) => (_bits, _routed) = (bits, routed);

    /// <summary>From the endpoints of the device's interfaces. Leave loopback out unless the device offers it to others on purpose.</summary>
    /// <param name="hosts">The endpoints.</param>
    /// <param name="routed">The families with a route out of the device's own networks: an address alone may be one for containers on the machine.</param>
    public static LocalReach Of(ReadOnlySpan<Endpoint> hosts, IPFamilies routed = IPFamilies.Both)
    {
        ushort bits = 0;
        foreach (Endpoint host in hosts)
        {
            bits |= Bit(host.Scope, host.IsIPv4);
        }

        return new(bits, routed);
    }

    public bool Has(AddressScope scope, bool isIPv4) => (_bits & Bit(scope, isIPv4)) != 0;

    /// <summary>Whether the Internet of that family may be in reach: there is a route, and an address, for IPv4 any that is not only this machine's own, for IPv6 a global one.</summary>
    public bool HasFamily(bool isIPv4) =>
        (_routed & (isIPv4 ? IPFamilies.IPv4 : IPFamilies.IPv6)) != 0
        && (Has(AddressScope.Global, isIPv4) || (isIPv4 && (Has(AddressScope.Private, true) || Has(AddressScope.LinkLocal, true))));

    private static ushort Bit(AddressScope scope, bool isIPv4) => (ushort)(1 << ((int)scope + (isIPv4 ? 0 : ScopeBits)));
}
