using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>What this machine can do, found by trying each thing in a throw-away namespace, never by reading version numbers.</summary>
/// <param name="Missing">Why no lab can stand here, each with how to get it; empty when one can.</param>
/// <param name="Nats">The NAT kinds whose rulesets the kernel accepted.</param>
/// <param name="MissingNats">The others, each with what nft said.</param>
internal sealed record KernelFeatures(IReadOnlyList<string> Missing, IReadOnlyList<NatKind> Nats, IReadOnlyList<(NatKind Kind, string Reason)> MissingNats)
{
    /// <summary>Whether every router of a kind of site can be made here.</summary>
    public bool CanMake(SiteKind kind) =>
        (kind != SiteKind.Firewalled || Nats.Contains(NatKind.Firewall)) && SiteDesign.Of(kind).Routers.All(nat => nat.IsUserspace() || Nats.Contains(nat));

    public static async Task<KernelFeatures> ProbeAsync(CancellationToken cancellation)
    {
        var missing = new List<string>();
        Require(missing, OperatingSystem.IsLinux(), "network namespaces: run on Linux");
        Require(missing, Environment.IsPrivilegedProcess, "root: run as root, or in a container with CAP_NET_ADMIN and CAP_SYS_ADMIN");
        Require(missing, Tool.Exists("ip"), "iproute2: apt-get install iproute2");
        Require(missing, Tool.Exists("nft"), "nftables: apt-get install nftables");
        Require(missing, File.Exists("/dev/net/tun"), "/dev/net/tun: modprobe tun; mkdir -p /dev/net; mknod /dev/net/tun c 10 200");
        return missing.Count > 0 ? new(missing, [], []) : await TryInNamespaceAsync(missing, cancellation);
    }

    private static async Task<KernelFeatures> TryInNamespaceAsync(List<string> missing, CancellationToken cancellation)
    {
        string netns = $"{LabRun.Current.Prefix}-try";
        await using var undertaker = new Undertaker(netns[..^4], keep: false);
        ToolResult made = await Tool.RunAsync("ip", ["netns", "add", netns], cancellation: cancellation);
        if (!made.Succeeded)
        {
            return new([$"network namespaces: a kernel with CONFIG_NET_NS and CAP_SYS_ADMIN ({made.Error.Trim()})"], [], []);
        }

        await TryIpAsync(missing, netns, "veth pairs: CONFIG_VETH", "link add wan0 type veth peer name lan0", cancellation);
        await TryIpAsync(missing, netns, "TUN devices: CONFIG_TUN", "tuntap add dev tun0 mode tun", cancellation);
        await TryIpAsync(missing, netns, "policy routing: CONFIG_IP_MULTIPLE_TABLES", "rule add priority 200 lookup 100", cancellation);
        await TryIpAsync(missing, netns, "IPv6: CONFIG_IPV6, CONFIG_IPV6_MULTIPLE_TABLES, no ipv6.disable=1 at boot", "-6 rule add priority 200 lookup 100", cancellation);
        if (await LoadAsync(netns, NatRules.Core, cancellation) is { } refusal)
        {
            missing.Add($"nftables sets with counters: CONFIG_NF_TABLES, CONFIG_NF_TABLES_IPV4, CONFIG_NF_TABLES_IPV6 ({refusal})");
        }

        await TryIpAsync(missing, netns, "bridges: CONFIG_BRIDGE", "link add br0 type bridge", cancellation);
        var nats = new List<NatKind>();
        var missingNats = new List<(NatKind, string)>();
        foreach (NatKind kind in Enum.GetValues<NatKind>().Where(kind => kind != NatKind.None && !kind.IsUserspace()))
        {
            if (await LoadAsync(netns, NatRules.For(kind), cancellation) is { } reason)
            {
                missingNats.Add((kind, $"CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_CT ({reason})"));
            }
            else
            {
                nats.Add(kind);
            }
        }

        return new(missing, nats, missingNats);
    }

    private static async Task TryIpAsync(List<string> missing, string netns, string feature, string command, CancellationToken cancellation)
    {
        ToolResult result = await Tool.RunAsync("ip", ["-n", netns, .. command.Split(' ')], cancellation: cancellation);
        Require(missing, result.Succeeded, $"{feature} ({result.Error.Trim()})");
    }

    /// <summary>Loads a ruleset into the emptied namespace; the first line of the refusal, or null.</summary>
    private static async Task<string?> LoadAsync(string netns, string ruleset, CancellationToken cancellation)
    {
        ToolResult result = await Tool.RunAsync("ip", ["netns", "exec", netns, "nft", "-f", "-"], $"flush ruleset\n{ruleset}", cancellation: cancellation);
        return result.Succeeded ? null : result.Error.Split('\n')[0];
    }

    private static void Require(List<string> missing, bool present, string otherwise)
    {
        if (!present)
        {
            missing.Add(otherwise);
        }
    }
}
