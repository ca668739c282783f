using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>
/// IPv6 over the links a lab already has: static addresses that are usable at once (no duplicate address detection, no router advertisements),
/// a /64 from the core to each site's edge and one in each home, behind a firewall and untranslated.
/// </summary>
internal static class IPv6Links
{
    /// <summary>For a namespace that shall have no IPv6: without this every new link also chatters router solicitations into the delay line.</summary>
    public const string Off = "net/ipv6/conf/default/disable_ipv6=1";

    private static readonly string[] Quiet =
    [
        "net/ipv6/conf/default/accept_dad=0",
        "net/ipv6/conf/default/accept_ra=0",
        "net/ipv6/conf/default/router_solicitations=0",
    ];

    private static readonly string[] Router = ["net/ipv6/conf/all/forwarding=1"];

    /// <summary>Before any link is made there.</summary>
    public static void Prepare(string netns) => NetworkNamespace.Configure(netns, Quiet);

    /// <summary>The core's part: the way through the delay line, as IPv4 takes it.</summary>
    public static async Task MakeCoreAsync(string core, CancellationToken cancellation)
    {
        NetworkNamespace.Configure(core, Router);
        await Tool.MustRunAsync("ip", ["-6", "-n", core, "-batch", "-"], """
            route add default dev tun0 table 100
            rule add priority 100 iif tun0 lookup main
            rule add priority 200 lookup 100

            """, cancellation);
    }

    /// <summary>
    /// From the core to the site's edge, which is a router or the host itself. A seed's other address is deprecated from the start (RFC 4862 §5.5.4):
    /// from a socket bound to every address Linux answers with the newest that is not.
    /// </summary>
    public static async Task JoinCoreAsync(LabNetwork network, Site site, string edge, CancellationToken cancellation)
    {
        await Tool.MustRunAsync("ip", ["-6", "-n", network.Core, "-batch", "-"], $"""
            addr add {site.GatewayIPv6}/64 dev {site.CoreInterface} nodad
            {(site.HasRouter ? $"route add {site.HostIPv6}/64 via {site.EdgeIPv6} dev {site.CoreInterface}" : "")}

            """, cancellation);
        await Tool.MustRunAsync("ip", ["-6", "-n", edge, "-batch", "-"], $"""
            addr add {site.EdgeIPv6}/64 dev wan0 nodad
            {(site.Kind == SiteKind.Seed ? $"addr add {site.OtherIPv6}/64 dev wan0 nodad preferred_lft 0" : "")}
            route add default via {site.GatewayIPv6} dev wan0

            """, cancellation);
    }

    /// <summary>The home behind the router at the edge.</summary>
    public static async Task MakeHomeAsync(LabNetwork network, Site site, CancellationToken cancellation)
    {
        string router = network.RouterOf(site);
        NetworkNamespace.Configure(router, Router);
        await Tool.MustRunAsync("ip", ["-6", "-n", router, "addr", "add", $"{site.HomeGatewayIPv6}/64", "dev", "lan0", "nodad"], cancellation: cancellation);
        await JoinHomeAsync(network, site, cancellation);
    }

    /// <summary>Takes the host's global address and its way out.</summary>
    public static Task LeaveHomeAsync(LabNetwork network, Site site, CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["-6", "-n", network.HostOf(site), "-batch", "-"], """
            route flush default
            addr flush dev eth0 scope global

            """, cancellation);

    /// <summary>Gives the host its address and its way out.</summary>
    public static Task JoinHomeAsync(LabNetwork network, Site site, CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["-6", "-n", network.HostOf(site), "-batch", "-"], $"""
            addr add {site.HostIPv6}/64 dev eth0 nodad
            route add default via {site.HomeGatewayIPv6} dev eth0

            """, cancellation);
}
