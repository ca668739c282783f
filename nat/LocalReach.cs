using Carrier.Core;

namespace Carrier.Nat;

/// <summary>The scopes and families in which this device has addresses of its own, hence candidates of others it could reach.</summary>
public readonly record struct LocalReach
{
    private const int ScopeBits = 8;

    private readonly ushort _bits;

    private LocalReach(ushort bits) => _bits = bits;

    /// <summary>From the endpoints of the device's interfaces. Leave loopback out unless the device offers it to others on purpose.</summary>
    public static LocalReach Of(ReadOnlySpan<Endpoint> hosts)
    {
        ushort bits = 0;
        foreach (Endpoint host in hosts)
        {
            bits |= Bit(host.Scope, host.IsIPv4);
        }

        return new(bits);
    }

    public bool Has(AddressScope scope, bool isIPv4) => (_bits & Bit(scope, isIPv4)) != 0;

    /// <summary>Whether the Internet of that family may be in reach: for IPv4 any address that is not only this machine's own, for IPv6 a global one.</summary>
    public bool HasFamily(bool isIPv4) =>
        Has(AddressScope.Global, isIPv4) || (isIPv4 && (Has(AddressScope.Private, true) || Has(AddressScope.LinkLocal, true)));

    private static ushort Bit(AddressScope scope, bool isIPv4) => (ushort)(1 << ((int)scope + (isIPv4 ? 0 : ScopeBits)));
}
