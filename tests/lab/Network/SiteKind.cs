namespace Carrier.Lab.Network;

/// <summary>What stands between a site's host and the core. Names of NATs are the field's.</summary>
internal enum SiteKind
{
    Seed,
    Public,
    FullCone,
    PortRestricted,
    Symmetric,
    Sequential,
    RandomRestricted,
    Firewalled,
    AddressRestricted,
    PortShift,
    RandomCone,
    Hairpin,
    PortBlock,
    DoubleNat,
    SameCarrier,
    CarrierSymmetric,
    SameHome,
    IsolatedHome,
    SymmetricV6,
    V6Only,
    UdpBlocked,
    Tcp443Only,
}

/// <summary>What the two sites of a kind have in common.</summary>
internal enum Sharing
{
    Nothing,
    Home,

    /// <summary>One home router that lets its hosts not speak to each other, as guest Wi-Fi does.</summary>
    IsolatedHome,
    Carrier,
}

/// <summary>The address families a site has: a router translates IPv4, and filters IPv6.</summary>
[Flags]
internal enum Families
{
    None = 0,
    IPv4 = 1,
    IPv6 = 2,
}

/// <summary>How a kind of site is built: the router at home, perhaps the carrier's before it.</summary>
internal sealed record SiteDesign(NatKind Home, NatKind Carrier = NatKind.None, Sharing Shares = Sharing.Nothing, Families Families = Families.IPv4)
{
    public bool HasIPv4 => Families.HasFlag(Families.IPv4);

    public bool HasIPv6 => Families.HasFlag(Families.IPv6);

    public static SiteDesign Of(SiteKind kind) => kind switch
    {
        SiteKind.Seed => new(NatKind.None, Families: Families.IPv4 | Families.IPv6),
        SiteKind.Public or SiteKind.Firewalled => new(NatKind.None),
        SiteKind.SymmetricV6 => new(NatKind.Symmetric, Families: Families.IPv4 | Families.IPv6),
        SiteKind.V6Only => new(NatKind.IPv6Firewall, Families: Families.IPv6),
        SiteKind.DoubleNat => new(NatKind.PortRestricted, NatKind.Hairpin),
        SiteKind.SameCarrier => new(NatKind.PortRestricted, NatKind.Hairpin, Sharing.Carrier),
        SiteKind.CarrierSymmetric => new(NatKind.PortRestricted, NatKind.Symmetric),
        SiteKind.SameHome => new(NatKind.PortRestricted, Shares: Sharing.Home),
        SiteKind.IsolatedHome => new(NatKind.PortRestricted, Shares: Sharing.IsolatedHome),
        _ => new(Enum.Parse<NatKind>(kind.ToString())),
    };

    /// <summary>The routers a kernel must be able to make for this kind.</summary>
    public IEnumerable<NatKind> Routers => new[] { Home, Carrier }.Where(nat => nat != NatKind.None);
}

/// <summary>The kinds' names as typed and printed, and which of them are asked for when nobody says.</summary>
internal static class SiteKinds
{
    /// <summary>Every kind of site but seeds, in the order of the table.</summary>
    public static readonly IReadOnlyList<SiteKind> All = [.. Enum.GetValues<SiteKind>().Where(kind => kind != SiteKind.Seed)];

    /// <summary>What every run of the tests tries: one of each family of behaviour.</summary>
    public static readonly IReadOnlyList<SiteKind> Usual =
        [SiteKind.Public, SiteKind.FullCone, SiteKind.PortRestricted, SiteKind.Symmetric, SiteKind.Sequential];

    /// <summary>Kinds that no UDP leaves: nothing can be probed there.</summary>
    public static bool CarriesUdp(this SiteKind kind) => kind is not (SiteKind.UdpBlocked or SiteKind.Tcp443Only);

    /// <summary>Whether the port toward a peer cannot be learnt from what others saw, by IPv4.</summary>
    public static bool IsSymmetric(this SiteKind kind) =>
        kind is SiteKind.Symmetric or SiteKind.Sequential or SiteKind.PortBlock or SiteKind.CarrierSymmetric or SiteKind.SymmetricV6;

    public static string Name(this SiteKind kind) =>
        string.Concat(kind.ToString().Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));

    public static SiteKind? Parse(string name) => All.Cast<SiteKind?>().FirstOrDefault(kind => kind!.Value.Name() == name);
}
