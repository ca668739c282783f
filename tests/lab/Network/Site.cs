using System.Globalization;
using System.Net;

namespace Carrier.Lab.Network;

/// <summary>What stands between a site's host and the core. Names of NATs are the field's; RFC 4787 terms are in <see cref="NatRules"/>.</summary>
internal enum SiteKind
{
    Seed,
    Public,
    FullCone,
    PortRestricted,
    Symmetric,
}

/// <summary>
/// One place on the lab's internet, with a /24 of its own because tables and rate limits count neighbours by /24. A site behind a NAT has a
/// home network 192.168.1.0/24, the same at every home, so that private candidates collide as they do in the world.
/// </summary>
internal sealed record Site(string Name, SiteKind Kind, int Number)
{
    /// <summary>Addresses of the lab: RFC 2544 benchmarking space, which no lab machine routes anywhere real.</summary>
    private const string PublicPrefix = "198.18";

    public bool HasNat => Kind is SiteKind.FullCone or SiteKind.PortRestricted or SiteKind.Symmetric;

    /// <summary>The core's end of the link to this site.</summary>
    public IPAddress Gateway => IPAddress.Parse($"{PublicPrefix}.{Number}.1");

    /// <summary>The address others see: the host's own, or its NAT's outer one.</summary>
    public IPAddress PublicAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.2");

    /// <summary>A second public address of a seed: filtering is tested by answers from an address that was not asked.</summary>
    public IPAddress OtherPublicAddress => IPAddress.Parse($"{PublicPrefix}.{Number}.3");

    /// <summary>The address the host has on its own network.</summary>
    public IPAddress HostAddress => HasNat ? IPAddress.Parse("192.168.1.2") : PublicAddress;

    /// <summary>The core's interface to this site; at most 15 bytes.</summary>
    public string CoreInterface => string.Create(CultureInfo.InvariantCulture, $"site{Number}");

    public override string ToString() => Name;
}

/// <summary>The names of the kinds as typed and printed.</summary>
internal static class SiteKindNames
{
    public static readonly IReadOnlyList<SiteKind> Nats = [SiteKind.FullCone, SiteKind.PortRestricted, SiteKind.Symmetric];

    public static string Name(this SiteKind kind) => kind switch
    {
        SiteKind.Seed => "seed",
        SiteKind.Public => "public",
        SiteKind.FullCone => "full-cone",
        SiteKind.PortRestricted => "port-restricted",
        SiteKind.Symmetric => "symmetric",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
