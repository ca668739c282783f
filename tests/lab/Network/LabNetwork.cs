using System.Net;
using Carrier.Lab.Tools;
using Carrier.Lab.Translation;

namespace Carrier.Lab.Network;

/// <summary>
/// A standing lab: namespaces, links, NATs, core and delay line. Packets that reach the core from a site are routed by a policy rule into
/// <c>tun0</c>; the delay line gives them back through <c>tun0</c> 20 ms later, and the main table takes them to their site.
/// </summary>
internal sealed class LabNetwork : IAsyncDisposable
{
    private readonly Undertaker _undertaker;
    private LabProcess? _delayLine;
    private LabProcess? _translators;

    private LabNetwork(Topology topology, string prefix, Undertaker undertaker)
    {
        Topology = topology;
        Prefix = prefix;
        _undertaker = undertaker;
    }

    public Topology Topology { get; }

    /// <summary>Begins every namespace's name: <c>crl-PID.STARTTIME</c> of the runner.</summary>
    public string Prefix { get; }

    public string Core => $"{Prefix}-core";

    public string HostOf(Site site) => $"{Prefix}-{site.Name}";

    /// <summary>The home router, shared where the design says so.</summary>
    public string RouterOf(Site site) => $"{Prefix}-{(site.Design.Shares is Sharing.Home or Sharing.IsolatedHome ? OwnerOf(site) : site.Name)}-nat";

    /// <summary>The carrier's router before the home router.</summary>
    public string CarrierOf(Site site) => $"{Prefix}-{OwnerOf(site)}-isp";

    /// <summary>Has a userspace NAT forget its mappings, as a router does that restarts.</summary>
    public Task RebindAsync(Site site, CancellationToken cancellation) =>
        _translators is { } translators
            ? translators.AskAsync($"rebind {OutermostRouterOf(site)}", "rebound", cancellation)
            : throw new LabException($"{site} has no userspace NAT to rebind");

    /// <param name="keep">Leave everything standing, delay line included, when the runner ends.</param>
    public static async Task<LabNetwork> BuildAsync(Topology topology, LinkShape shape, bool keep, CancellationToken cancellation)
    {
        await Undertaker.BuryTheDeadAsync(cancellation);
        string prefix = LabRun.Current.Prefix;
        var network = new LabNetwork(topology, prefix, new Undertaker(prefix, keep));
        try
        {
            await network.MakeNamespacesAsync(cancellation);
            await network.MakeCoreAsync(cancellation);
            await Task.WhenAll(topology.All.Where(site => !site.IsGuest).Select(site => network.MakeSiteAsync(site, cancellation)));
            await Task.WhenAll(topology.All.Where(site => site.IsGuest).Select(site => network.MakeGuestAsync(site, cancellation)));
            await network.StartDelayLineAsync(shape, keep, cancellation);
            await network.StartTranslatorsAsync(keep, cancellation);
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (LabProcess? process in new[] { _translators, _delayLine })
        {
            if (process is not null)
            {
                await process.DisposeAsync();
            }
        }

        await _undertaker.DisposeAsync();
    }

    private static string OwnerOf(Site site) => site.IsGuest ? $"{site.Kind.Name()}-a" : site.Name;

    private string OutermostRouterOf(Site site) => site.Design.Carrier != NatKind.None ? CarrierOf(site) : RouterOf(site);

    private async Task MakeNamespacesAsync(CancellationToken cancellation)
    {
        var names = new HashSet<string> { Core };
        var withIPv6 = new HashSet<string> { Core };
        foreach (Site site in Topology.All)
        {
            names.Add(HostOf(site));
            if (site.Design.HasIPv6)
            {
                withIPv6.UnionWith([HostOf(site), RouterOf(site)]);
            }

            if (site.HasRouter)
            {
                names.Add(RouterOf(site));
            }

            if (site.Design.Carrier != NatKind.None)
            {
                names.Add(CarrierOf(site));
            }
        }

        await Tool.MustRunAsync("ip", ["-batch", "-"], string.Concat(names.Select(name => $"netns add {name}\n")), cancellation);
        foreach (string name in names)
        {
            if (withIPv6.Contains(name))
            {
                IPv6Links.Prepare(name);
            }
            else
            {
                NetworkNamespace.Configure(name, IPv6Links.Off);
            }
        }
    }

    private async Task MakeCoreAsync(CancellationToken cancellation)
    {
        // No ICMP limits and no source check: packets come back in through tun0 whatever their source.
        NetworkNamespace.Configure(Core, "net/ipv4/ip_forward=1", "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0");
        await Tool.MustRunAsync("ip", ["-n", Core, "-batch", "-"], """
            link set lo up
            tuntap add dev tun0 mode tun
            link set tun0 mtu 1500 txqueuelen 10000 up
            route add default dev tun0 table 100
            rule add priority 100 iif tun0 lookup main
            rule add priority 200 lookup 100

            """, cancellation);
        await IPv6Links.MakeCoreAsync(Core, cancellation);
        await Tool.MustRunAsync("ip", ["netns", "exec", Core, "nft", "-f", "-"], NatRules.Core, cancellation);
    }

    /// <summary>From the core inwards: the edge, the carrier's router if there is one, the home router, the host.</summary>
    private async Task MakeSiteAsync(Site site, CancellationToken cancellation)
    {
        SiteDesign design = site.Design;
        string edge = !site.HasRouter ? HostOf(site) : OutermostRouterOf(site);
        NatKind outermost = design.Carrier != NatKind.None ? design.Carrier : design.Home;
        string second = site.Kind == SiteKind.Seed ? $"addr add {site.OtherPublicAddress}/24 dev wan0" : "";
        await Tool.MustRunAsync("ip", ["-n", Core, "-batch", "-"], $"""
            link add {site.CoreInterface} type veth peer name wan0 netns {edge}
            {(design.HasIPv4 ? $"addr add {site.Gateway}/24 dev {site.CoreInterface}" : "")}
            link set {site.CoreInterface} up

            """, cancellation);
        await Tool.MustRunAsync("ip", ["-n", edge, "-batch", "-"], $"""
            link set lo up
            {(design.HasIPv4 ? $"addr add {(outermost.IsUserspace() ? site.TransitAddress : site.PublicAddress)}/24 dev wan0" : "")}
            {second}
            link set wan0 up
            {(design.HasIPv4 ? $"route add default via {site.Gateway}" : "")}

            """, cancellation);
        if (design.HasIPv6)
        {
            await IPv6Links.JoinCoreAsync(this, site, edge, cancellation);
        }

        if (design.Carrier != NatKind.None)
        {
            await MakeRouterAsync(edge, design.Carrier, site.PublicAddress, cancellation);
            await JoinCarrierAsync(site, cancellation);
        }

        if (site.HasRouter)
        {
            await MakeRouterAsync(RouterOf(site), design.Home, site.PublicAddress, cancellation);
            await MakeHomeAsync(site, cancellation);
            if (design.HasIPv6)
            {
                await IPv6Links.MakeHomeAsync(this, site, cancellation);
            }

            if (design is { HasIPv4: true, HasIPv6: true })
            {
                await MakeRouterAsync(RouterOf(site), NatKind.IPv6Firewall, site.PublicAddress, cancellation);
            }
        }
        else if (site.Kind == SiteKind.Firewalled)
        {
            await Tool.MustRunAsync("ip", ["netns", "exec", edge, "nft", "-f", "-"], NatRules.For(NatKind.Firewall), cancellation);
        }
    }

    /// <summary>The second of two sites that share a router: only what is its own.</summary>
    private async Task MakeGuestAsync(Site site, CancellationToken cancellation)
    {
        if (site.Design.Shares == Sharing.Carrier)
        {
            await JoinCarrierAsync(site, cancellation);
            await MakeRouterAsync(RouterOf(site), site.Design.Home, site.PublicAddress, cancellation);
            await MakeHomeAsync(site, cancellation);
        }
        else
        {
            await JoinHomeAsync(site, cancellation);
        }
    }

    /// <summary>A link of shared address space (RFC 6598) from the carrier to a home router.</summary>
    private async Task JoinCarrierAsync(Site site, CancellationToken cancellation)
    {
        int link = site.CarrierLink;
        await Tool.MustRunAsync("ip", ["-n", CarrierOf(site), "-batch", "-"], $"""
            link add sub{link} type veth peer name wan0 netns {RouterOf(site)}
            addr add 100.64.{link}.1/24 dev sub{link}
            link set sub{link} up
            rule add priority 50 iif sub{link} lookup {TranslationTable}

            """, cancellation);
        await Tool.MustRunAsync("ip", ["-n", RouterOf(site), "-batch", "-"], $"""
            link set lo up
            addr add 100.64.{link}.2/24 dev wan0
            link set wan0 up
            route add default via 100.64.{link}.1

            """, cancellation);
    }

    /// <summary>Forwarding and translation of one router. A userspace NAT gets what comes from inside by a policy rule, what comes from outside by a route.</summary>
    private static async Task MakeRouterAsync(string router, NatKind nat, IPAddress outer, CancellationToken cancellation)
    {
        if (nat.IsUserspace())
        {
            await Tool.MustRunAsync("ip", ["-n", router, "-batch", "-"], $"""
                tuntap add dev {TranslateCommand.Device} mode tun
                link set {TranslateCommand.Device} mtu 1500 txqueuelen 10000 up
                route add {outer}/32 dev {TranslateCommand.Device}
                route add default dev {TranslateCommand.Device} table {TranslationTable}

                """, cancellation);
            // The router answers ARP for the address that only its translator has.
            NetworkNamespace.Configure(router, "net/ipv4/ip_forward=1", "net/ipv4/conf/wan0/proxy_arp=1",
                "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/wan0/rp_filter=0", $"net/ipv4/conf/{TranslateCommand.Device}/rp_filter=0");
            return;
        }

        await Tool.MustRunAsync("ip", ["netns", "exec", router, "nft", "-f", "-"], NatRules.For(nat), cancellation);
        // Linux's own defaults, stated: 30 s until both directions were seen, then 120 s.
        NetworkNamespace.Configure(router, "net/ipv4/ip_forward=1",
            "net/netfilter/nf_conntrack_udp_timeout=30", "net/netfilter/nf_conntrack_udp_timeout_stream=120");
    }

    private async Task MakeHomeAsync(Site site, CancellationToken cancellation)
    {
        await Tool.MustRunAsync("ip", ["-n", RouterOf(site), "-batch", "-"], $"""
            link add lan0 type bridge
            {(site.Design.HasIPv4 ? "addr add 192.168.1.1/24 dev lan0" : "")}
            link set lan0 up
            {(site.Design.Home.IsUserspace() ? $"rule add priority 50 iif lan0 lookup {TranslationTable}" : "")}

            """, cancellation);
        await JoinHomeAsync(site, cancellation);
    }

    private async Task JoinHomeAsync(Site site, CancellationToken cancellation)
    {
        string port = $"port{site.HostAddress.GetAddressBytes()[3]}";
        string isolation = site.Design.Shares == Sharing.IsolatedHome ? $"link set dev {port} type bridge_slave isolated on" : "";
        await Tool.MustRunAsync("ip", ["-n", RouterOf(site), "-batch", "-"], $"""
            link add {port} type veth peer name eth0 netns {HostOf(site)}
            link set {port} master lan0 up
            {isolation}

            """, cancellation);
        await Tool.MustRunAsync("ip", ["-n", HostOf(site), "-batch", "-"], $"""
            link set lo up
            {(site.Design.HasIPv4 ? $"addr add {site.HostAddress}/24 dev eth0" : "")}
            link set eth0 up
            {(site.Design.HasIPv4 ? "route add default via 192.168.1.1" : "")}

            """, cancellation);
    }

    private async Task StartTranslatorsAsync(bool keep, CancellationToken cancellation)
    {
        string[] nats =
        [
            .. Topology.All.Where(site => !site.IsGuest || site.Design.Shares == Sharing.Carrier).SelectMany(site => new[]
            {
                site.Design.Home.IsUserspace() ? TranslateCommand.Describe(RouterOf(site), site.Design.Home, site.PublicAddress) : "",
                site.Design.Carrier.IsUserspace() && !site.IsGuest ? TranslateCommand.Describe(CarrierOf(site), site.Design.Carrier, site.PublicAddress) : "",
            }).Where(word => word.Length > 0),
        ];
        if (nats.Length > 0)
        {
            string self = Environment.ProcessPath ?? throw new LabException("cannot find the lab's own executable");
            _translators = LabProcess.Start(Core, self, ["translate", .. nats], logPath: null, outlivesRunner: keep);
            await _translators.WaitForLineAsync("READY", TimeSpan.FromSeconds(15), cancellation);
        }
    }

    private async Task StartDelayLineAsync(LinkShape shape, bool keep, CancellationToken cancellation)
    {
        string self = Environment.ProcessPath ?? throw new LabException("cannot find the lab's own executable");
        _delayLine = LabProcess.Start(Core, self, ["delay", "--device", "tun0", .. shape.ToOptions()], logPath: null, outlivesRunner: keep);
        await _delayLine.WaitForLineAsync("READY", TimeSpan.FromSeconds(15), cancellation);
    }

    /// <summary>The routing table by which a router hands its translator what comes from inside.</summary>
    private const int TranslationTable = 100;
}
