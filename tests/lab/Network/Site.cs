using System.Globalization;
using System.Net;

namespace Carrier.Lab.Network;

/// <summary>
/// One place on the lab's internet, with a /24 of its own because tables and rate limits count neighbours by /24. A site behind a NAT has a
/// home network 192.168.1.0/24, the same at every home, so that private candidates collide as they do in the world.
/// </summary>
/// <param name="Name">The kind's name and the instance: a dials, b is dialled.</param>
/// <param name="Number">The third byte of its public addresses; shared by sites behind one router.</param>
internal sealed record Site(string Name, SiteKind Kind, int Number)
{
    /// <summary>Addresses of the lab: RFC 2544 benchmarking space, which no lab machine routes anywhere real.</summary>
    private const string PublicPrefix = "198.18";

    public SiteDesign Design => SiteDesign.Of(Kind);

    public bool HasNat => Design.Home != NatKind.None;

    /// <summary>The second of two sites behind one router: it has no edge of its own.</summary>
    public bool IsGuest => Design.Shares != Sharing.Nothing && Name.EndsWith("-b", StringComparison.Ordinal);

    /// <summary>The core's end of the link to this site.</summary>
    public IPAddress Gateway => IPAddress.Parse($"{PublicPrefix}.{Number}.1");

    /// <summary>The address others see: the host's own, or that of its outermost NAT.</summary>
    public IPAddress PublicAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.2");

    /// <summary>A second public address of a seed: filtering is tested by answers from an address that was not asked.</summary>
    public IPAddress OtherPublicAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.3");

    /// <summary>The address of a router that translates in userspace: its outer address belongs to no interface, so it needs one to speak ARP from.</summary>
    public IPAddress TransitAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.254");

    /// <summary>The address the host has on its own network.</summary>
    public IPAddress HostAddress => !HasNat ? PublicAddress : IPAddress.Parse(IsGuest && Design.Shares != Sharing.Carrier ? "192.168.1.3" : "192.168.1.2");

    /// <summary>The third byte of the shared address space (RFC 6598) between a home router and its carrier.</summary>
    public int CarrierLink => IsGuest ? 1 : 0;

    /// <summary>The core's interface to this site; at most 15 bytes.</summary>
    public string CoreInterface => string.Create(CultureInfo.InvariantCulture, $"site{Number}");

    public override string ToString() => Name;
}
