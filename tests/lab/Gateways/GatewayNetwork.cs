using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Gateways;

/// <summary>
/// Two homes behind symmetric NATs and a seed, joined by a core. Its public addresses are not those of the other lab: miniupnpd refuses to map on
/// a router whose outer address is reserved, as 198.18/15 is. Nothing of 11/8 leaves the namespaces.
/// </summary>
internal sealed class GatewayNetwork(string prefix) : IAsyncDisposable
{
    public const string SeedAddress = "11.0.1.2";

    private readonly Undertaker _undertaker = new(prefix, keep: false);

    public string Core => $"{prefix}-core";

    public string Seed => $"{prefix}-seed";

    /// <summary>The home whose router maps ports.</summary>
    public GatewayHome Mapped { get; } = new($"{prefix}-mapped", 2);

    /// <summary>The home whose router does not.</summary>
    public GatewayHome Plain { get; } = new($"{prefix}-plain", 3);

    public static async Task<GatewayNetwork> BuildAsync(CancellationToken cancellation)
    {
        await Undertaker.BuryTheDeadAsync(cancellation);
        GatewayNetwork network = new(LabRun.Current.Prefix);
        try
        {
            await network.MakeAsync(cancellation);
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _undertaker.DisposeAsync();

    /// <summary>Bytes the core carried between the homes, and between a home and the seed, since the last call.</summary>
    public async Task<(long Direct, long Relayed)> TakeCountersAsync(CancellationToken cancellation)
    {
        string json = await Tool.MustRunAsync("ip", ["netns", "exec", Core, "nft", "-j", "reset", "counters"], cancellation: cancellation);
        using var document = System.Text.Json.JsonDocument.Parse(json);
        long direct = 0, relayed = 0;
        foreach (System.Text.Json.JsonElement item in document.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (item.TryGetProperty("counter", out System.Text.Json.JsonElement counter))
            {
                long bytes = counter.GetProperty("bytes").GetInt64();
                (direct, relayed) = counter.GetProperty("name").GetString() == "direct" ? (bytes, relayed) : (direct, bytes);
            }
        }

        return (direct, relayed);
    }

    private async Task MakeAsync(CancellationToken cancellation)
    {
        string[] names = [Core, Seed, Mapped.Host, Mapped.Router, Plain.Host, Plain.Router];
        await Tool.MustRunAsync("ip", ["-batch", "-"], string.Concat(names.Select(name => $"netns add {name}\n")), cancellation);
        foreach (string name in names)
        {
            NetworkNamespace.Configure(name, "net/ipv6/conf/all/disable_ipv6=1", "net/ipv6/conf/default/disable_ipv6=1");
            await Tool.MustRunAsync("ip", ["-n", name, "link", "set", "lo", "up"], cancellation: cancellation);
        }

        NetworkNamespace.Configure(Core, "net/ipv4/ip_forward=1");
        await JoinAsync(Seed, 1, cancellation);
        foreach (GatewayHome home in new[] { Mapped, Plain })
        {
            await JoinAsync(home.Router, home.Number, cancellation);
            await Tool.MustRunAsync("ip", ["-n", home.Router, "-batch", "-"], $"""
                link add lan0 type veth peer name eth0 netns {home.Host}
                addr add 192.168.1.1/24 dev lan0
                link set lan0 up

                """, cancellation);
            await Tool.MustRunAsync("ip", ["-n", home.Host, "-batch", "-"], """
                addr add 192.168.1.2/24 dev eth0
                link set eth0 up
                route add default via 192.168.1.1

                """, cancellation);
            NetworkNamespace.Configure(home.Router, "net/ipv4/ip_forward=1");
            await home.LoadRulesAsync("", cancellation);
        }

        await Tool.MustRunAsync("ip", ["netns", "exec", Core, "nft", "-f", "-"], $$"""
            table ip core {
                counter direct { }
                counter relayed { }
                chain carry {
                    type filter hook forward priority filter; policy accept;
                    ip saddr 192.168.0.0/16 drop
                    ip daddr 192.168.0.0/16 drop
                    ip saddr {{SeedAddress}} counter name relayed
                    ip daddr {{SeedAddress}} counter name relayed
                    ip saddr != {{SeedAddress}} ip daddr != {{SeedAddress}} counter name direct
                }
            }

            """, cancellation);
    }

    private async Task JoinAsync(string edge, int number, CancellationToken cancellation)
    {
        await Tool.MustRunAsync("ip", ["-n", Core, "-batch", "-"], $"""
            link add site{number} type veth peer name wan0 netns {edge}
            addr add 11.0.{number}.1/24 dev site{number}
            link set site{number} up

            """, cancellation);
        await Tool.MustRunAsync("ip", ["-n", edge, "-batch", "-"], $"""
            addr add 11.0.{number}.2/24 dev wan0
            link set wan0 up
            route add default via 11.0.{number}.1

            """, cancellation);
    }
}

/// <summary>A home: a host behind a router whose NAT is symmetric with random ports, and whose rules have miniupnpd's chains.</summary>
internal sealed record GatewayHome(string Name, int Number)
{
    /// <summary>Drops PCP at the router, so that a daemon that speaks both is met as one of NAT-PMP alone: PCP's first byte is its version, 2.</summary>
    public const string WithoutPcp = "udp dport 5351 @th,64,8 2 drop";

    private const string MappingChain = "prerouting_miniupnpd";

    public string Host => Name;

    public string Router => $"{Name}-nat";

    public Task LoadRulesAsync(string inputRule, CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", Router, "nft", "-f", "-"], $$"""
            flush ruleset
            table inet filter {
                chain miniupnpd { }
                chain {{MappingChain}} { }
                chain postrouting_miniupnpd { }
                chain forward {
                    type filter hook forward priority filter; policy drop;
                    ct state established,related accept
                    iifname "lan0" oifname "wan0" accept
                    jump miniupnpd
                }
                chain input {
                    type filter hook input priority filter; policy drop;
                    {{inputRule}}
                    ct state established,related accept
                    iifname { "lo", "lan0" } accept
                }
                chain inward {
                    type nat hook prerouting priority dstnat; policy accept;
                    jump {{MappingChain}}
                }
                chain outward {
                    type nat hook postrouting priority srcnat; policy accept;
                    oifname "wan0" masquerade fully-random
                }
            }

            """, cancellation);

    /// <summary>Whether the router forwards a port inwards now: the kernel's own word.</summary>
    public async Task<bool> IsMappedAsync(CancellationToken cancellation) =>
        (await Tool.MustRunAsync("ip", ["netns", "exec", Router, "nft", "list", "chain", "inet", "filter", MappingChain], cancellation: cancellation))
            .Contains("dnat", StringComparison.Ordinal);

    /// <summary>Waits until a port is forwarded, or none is any more.</summary>
    public async Task<bool> WaitAsync(bool isMapped, TimeSpan patience, CancellationToken cancellation)
    {
        for (DateTime end = DateTime.UtcNow + patience; DateTime.UtcNow < end; await Task.Delay(50, cancellation))
        {
            if (await IsMappedAsync(cancellation) == isMapped)
            {
                return true;
            }
        }

        return false;
    }
}
