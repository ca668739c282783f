using Carrier.Lab.Matrix;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Living;

/// <summary>What networks and users do to a live connection, done to one site of a standing lab.</summary>
internal sealed class Disturbance(LabNetwork network)
{
    private static readonly TimeSpan Asleep = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Unplugged = TimeSpan.FromSeconds(3);

    private int _address = 10;
    private bool _hasIPv6Alone;

    /// <summary>The home router forgets every flow, and everything the host sends leaves from another port than before.</summary>
    public async Task RebindAsync(Site site, CancellationToken cancellation)
    {
        await Tool.MustRunAsync("ip", ["netns", "exec", network.RouterOf(site), "nft", "-f", "-"], NatRules.Pause, cancellation);
        await ForgetFlowsAsync(site, cancellation);
        await Tool.MustRunAsync("ip", ["netns", "exec", network.RouterOf(site), "nft", "-f", "-"], NatRules.Rebound, cancellation);
    }

    /// <summary>The host leaves its network and is on another one: it and its router have other addresses, the old ones are gone, and the router knows no flow.</summary>
    public async Task MoveAsync(Site site, CancellationToken cancellation)
    {
        _address = _address == 10 ? 11 : 10;
        string prefix = site.PublicAddress.ToString()[..site.PublicAddress.ToString().LastIndexOf('.')];
        await Tool.MustRunAsync("ip", ["-n", network.HostOf(site), "addr", "flush", "dev", "eth0"], cancellation: cancellation);
        await Tool.MustRunAsync("ip", ["-n", network.RouterOf(site), "-batch", "-"], $"""
            addr flush dev wan0
            addr add {prefix}.{_address}/24 dev wan0
            route replace default via {site.Gateway}

            """, cancellation);
        await ForgetFlowsAsync(site, cancellation);
        await Tool.MustRunAsync("ip", ["-n", network.HostOf(site), "-batch", "-"], $"""
            addr add 192.168.1.{_address}/24 dev eth0
            route replace default via 192.168.1.1

            """, cancellation);
    }

    /// <summary>The host, which had both families at first, leaves its network for one that has IPv6 alone, and the next time for one that has IPv4 alone. The router knows no flow.</summary>
    public async Task ChangeFamilyAsync(Site site, CancellationToken cancellation)
    {
        _hasIPv6Alone = !_hasIPv6Alone;
        await IPv6Links.LeaveHomeAsync(network, site, cancellation);
        await Tool.MustRunAsync("ip", ["-4", "-n", network.HostOf(site), "addr", "flush", "dev", "eth0"], cancellation: cancellation);
        await ForgetFlowsAsync(site, cancellation);
        if (_hasIPv6Alone)
        {
            await IPv6Links.JoinHomeAsync(network, site, cancellation);
            return;
        }

        await Tool.MustRunAsync("ip", ["-n", network.HostOf(site), "-batch", "-"], $"""
            addr add {site.HostAddress}/24 dev eth0
            route replace default via 192.168.1.1

            """, cancellation);
    }

    /// <summary>Lets nothing pass directly between two sites, until <see cref="HealAsync"/>.</summary>
    public Task SeverAsync(Site one, Site other, CancellationToken cancellation)
    {
        string ends = $"{{ {one.PublicAddress} . {other.PublicAddress}, {other.PublicAddress} . {one.PublicAddress} }}";
        return Tool.MustRunAsync("ip", ["netns", "exec", network.Core, "nft", "-f", "-"], $"add element ip core severed {ends}\n", cancellation);
    }

    public Task HealAsync(CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", network.Core, "nft", "flush set ip core severed"], cancellation: cancellation);

    public static async Task SuspendAsync(SiteNode node, CancellationToken cancellation)
    {
        node.Signal(Libc.Stop);
        await Task.Delay(Asleep, cancellation);
        node.Signal(Libc.Continue);
    }

    public async Task UnplugAsync(Site site, CancellationToken cancellation)
    {
        await Tool.MustRunAsync("ip", ["-n", network.HostOf(site), "link", "set", "eth0", "down"], cancellation: cancellation);
        await Task.Delay(Unplugged, cancellation);
        await Tool.MustRunAsync("ip", ["-n", network.HostOf(site), "-batch", "-"], """
            link set eth0 up
            route replace default via 192.168.1.1

            """, cancellation);
    }

    private Task<string> ForgetFlowsAsync(Site site, CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", network.RouterOf(site), "conntrack", "-F"], cancellation: cancellation);
}
