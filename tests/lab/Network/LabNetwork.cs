using System.Text;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>
/// A standing lab: namespaces, links, NATs, core and delay line. Packets that reach the core from a site are routed by a policy rule into
/// <c>tun0</c>; the delay line gives them back through <c>tun0</c> 20 ms later, and the main table takes them to their site.
/// </summary>
internal sealed class LabNetwork : IAsyncDisposable
{
    private readonly Undertaker _undertaker;
    private LabProcess? _delayLine;

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

    public string RouterOf(Site site) => $"{Prefix}-{site.Name}-nat";

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
            await Task.WhenAll(topology.All.Select(site => network.MakeSiteAsync(site, cancellation)));
            await network.StartDelayLineAsync(shape, keep, cancellation);
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
        if (_delayLine is not null)
        {
            await _delayLine.DisposeAsync();
        }

        await _undertaker.DisposeAsync();
    }

    private async Task MakeNamespacesAsync(CancellationToken cancellation)
    {
        var batch = new StringBuilder().AppendLine($"netns add {Core}");
        foreach (Site site in Topology.All)
        {
            batch.AppendLine($"netns add {HostOf(site)}");
            if (site.HasNat)
            {
                batch.AppendLine($"netns add {RouterOf(site)}");
            }
        }

        await Tool.MustRunAsync("ip", ["-batch", "-"], batch.ToString(), cancellation);
    }

    private async Task MakeCoreAsync(CancellationToken cancellation)
    {
        // No ICMP limits and no source check: packets come back in through tun0 whatever their source.
        NetworkNamespace.Configure(Core, NoIPv6, "net/ipv4/ip_forward=1", "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0");
        await Tool.MustRunAsync("ip", ["-n", Core, "-batch", "-"], """
            link set lo up
            tuntap add dev tun0 mode tun
            link set tun0 mtu 1500 txqueuelen 10000 up
            route add default dev tun0 table 100
            rule add priority 100 iif tun0 lookup main
            rule add priority 200 lookup 100

            """, cancellation);
        await Tool.MustRunAsync("ip", ["netns", "exec", Core, "nft", "-f", "-"], NatRules.Core, cancellation);
    }

    private async Task MakeSiteAsync(Site site, CancellationToken cancellation)
    {
        string host = HostOf(site);
        string edge = site.HasNat ? RouterOf(site) : host;
        NetworkNamespace.Configure(host, NoIPv6);
        NetworkNamespace.Configure(edge, NoIPv6);
        await Tool.MustRunAsync("ip", ["-n", Core, "-batch", "-"], $"""
            link add {site.CoreInterface} type veth peer name wan0 netns {edge}
            addr add {site.Gateway}/24 dev {site.CoreInterface}
            link set {site.CoreInterface} up

            """, cancellation);
        string second = site.Kind == SiteKind.Seed ? $"addr add {site.OtherPublicAddress}/24 dev wan0" : "";
        await Tool.MustRunAsync("ip", ["-n", edge, "-batch", "-"], $"""
            link set lo up
            addr add {site.PublicAddress}/24 dev wan0
            {second}
            link set wan0 up
            route add default via {site.Gateway}

            """, cancellation);
        if (site.HasNat)
        {
            await MakeHomeAsync(site, host, edge, cancellation);
        }
    }

    private static async Task MakeHomeAsync(Site site, string host, string router, CancellationToken cancellation)
    {
        await Tool.MustRunAsync("ip", ["-n", router, "-batch", "-"], $"""
            link add lan0 type veth peer name eth0 netns {host}
            addr add 192.168.1.1/24 dev lan0
            link set lan0 up

            """, cancellation);
        await Tool.MustRunAsync("ip", ["-n", host, "-batch", "-"], $"""
            link set lo up
            addr add {site.HostAddress}/24 dev eth0
            link set eth0 up
            route add default via 192.168.1.1

            """, cancellation);
        await Tool.MustRunAsync("ip", ["netns", "exec", router, "nft", "-f", "-"], NatRules.For(site.Kind), cancellation);
        // Linux's own defaults, stated: 30 s until both directions were seen, then 120 s.
        NetworkNamespace.Configure(router, "net/ipv4/ip_forward=1",
            "net/netfilter/nf_conntrack_udp_timeout=30", "net/netfilter/nf_conntrack_udp_timeout_stream=120");
    }

    private async Task StartDelayLineAsync(LinkShape shape, bool keep, CancellationToken cancellation)
    {
        string self = Environment.ProcessPath ?? throw new LabException("cannot find the lab's own executable");
        _delayLine = LabProcess.Start(Core, self, ["delay", "--device", "tun0", .. shape.ToOptions()], logPath: null, outlivesRunner: keep);
        await _delayLine.WaitForLineAsync("READY", TimeSpan.FromSeconds(15), cancellation);
    }

    /// <summary>The lab is IPv4 so far: without this every new link also chatters router solicitations into the delay line.</summary>
    private const string NoIPv6 = "net/ipv6/conf/default/disable_ipv6=1";
}
