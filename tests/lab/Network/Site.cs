using System.Globalization;
using System.Net;

namespace Carrier.Lab.Network;

/// <summary>
/// One place on the lab's internet, with a /24 and a /48 of its own because tables and rate limits count neighbours by those. A site behind a NAT
/// has a home network 192.168.1.0/24, the same at every home, so that private candidates collide as they do in the world; with IPv6 its home has a
/// global /64 besides, out of the site's /48.
/// </summary>
/// <param name="Name">The kind's name and the instance: a dials, b is dialled.</param>
/// <param name="Number">The third byte of its public addresses and the third group of its IPv6 ones; shared by sites behind one router.</param>
internal sealed record Site(string Name, SiteKind Kind, int Number)
{
    /// <summary>Addresses of the lab: RFC 2544 benchmarking space, which no lab machine routes anywhere real.</summary>
    private const string PublicPrefix = "198.18";

    /// <summary>Documentation space (RFC 3849), for the same reason: that of RFC 5180 for benchmarks is one /48 in all.</summary>
    private const string PublicIPv6Prefix = "2001:db8";

    public SiteDesign Design => SiteDesign.Of(Kind);

    public bool HasRouter => Design.Home != NatKind.None;

    /// <summary>The second of two sites behind one router: it has no edge of its own.</summary>
    public bool IsGuest => Design.Shares != Sharing.Nothing && Name.EndsWith("-b", StringComparison.Ordinal);

    /// <summary>The core's end of the link to this site.</summary>
    public IPAddress Gateway => IPAddress.Parse($"{PublicPrefix}.{Number}.1");

    /// <summary>The IPv4 address others see: the host's own, or that of its outermost NAT.</summary>
    public IPAddress PublicAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.2");

    /// <summary>A second public address of a seed: filtering is tested by answers from an address that was not asked.</summary>
    public IPAddress OtherPublicAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.3");

    /// <summary>The address of a router that translates in userspace: its outer address belongs to no interface, so it needs one to speak ARP from.</summary>
    public IPAddress TransitAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.254");

    /// <summary>The IPv4 address the host has on its own network.</summary>
    public IPAddress HostAddress => !HasRouter ? PublicAddress : IPAddress.Parse(IsGuest && Design.Shares != Sharing.Carrier ? "192.168.1.3" : "192.168.1.2");

    /// <summary>The core's end of the link to this site; the site's end is <see cref="EdgeIPv6"/>.</summary>
    public IPAddress GatewayIPv6 => IPv6(0, 1);

    /// <summary>The router's outer address, or the host's own where there is no router.</summary>
    public IPAddress EdgeIPv6 => IPv6(0, 2);

    /// <summary>As <see cref="OtherPublicAddress"/>.</summary>
    public IPAddress OtherIPv6 => IPv6(0, 3);

    /// <summary>The router's address in the home.</summary>
    public IPAddress HomeGatewayIPv6 => IPv6(1, 1);

    /// <summary>The address of the host, which others see as it is.</summary>
    public IPAddress HostIPv6 => HasRouter ? IPv6(1, 2) : EdgeIPv6;

    /// <summary>Everything others may see this site as.</summary>
    public IEnumerable<IPAddress> PublicAddresses
    {
        get
        {
            if (Design.HasIPv4)
            {
                yield return PublicAddress;
            }

            if (Design.HasIPv6)
            {
                yield return HostIPv6;
            }
        }
    }

    /// <summary>The third byte of the shared address space (RFC 6598) between a home router and its carrier.</summary>
    public int CarrierLink => IsGuest ? 1 : 0;

    /// <summary>The core's interface to this site; at most 15 bytes.</summary>
    public string CoreInterface => string.Create(CultureInfo.InvariantCulture, $"site{Number}");

    public override string ToString() => Name;

    /// <param name="subnet">0 between core and site, 1 at home.</param>
    private IPAddress IPv6(int subnet, int host) =>
        IPAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"{PublicIPv6Prefix}:{Number:x}:{subnet}::{host}"));
}
