using Carrier.Lab.Tools;

namespace Carrier.Lab.Gateways;

/// <summary>The daemon of most home routers, from Debian, on a home's router.</summary>
internal static class Miniupnpd
{
    public const string HowToGet = "apt-get install miniupnpd-nftables";

    /// <summary>The longest lifetime it grants by PCP here, so that a renewal happens while one looks.</summary>
    public static readonly TimeSpan PcpLifetime = TimeSpan.FromSeconds(10);

    /// <summary>Not in every user's path.</summary>
    public static string? Path => new[] { "/usr/sbin/miniupnpd", "/usr/local/sbin/miniupnpd" }.FirstOrDefault(File.Exists);

    public static LabProcess Start(GatewayHome home, bool speaksPcpAndNatPmp, bool speaksUpnp, string folder)
    {
        string config = System.IO.Path.Combine(folder, "miniupnpd.conf");
        File.WriteAllText(config, $"""
            ext_ifname=wan0
            listening_ip=lan0
            http_port=0
            enable_natpmp={YesNo(speaksPcpAndNatPmp)}
            enable_upnp={YesNo(speaksUpnp)}
            min_lifetime=5
            max_lifetime={PcpLifetime.TotalSeconds:F0}
            secure_mode=yes
            upnp_table_name=filter
            upnp_nat_table_name=filter
            upnp_forward_chain=miniupnpd
            upnp_nat_chain=prerouting_miniupnpd
            upnp_nat_postrouting_chain=postrouting_miniupnpd
            uuid=6f3c0f0e-8a77-4f21-9d0a-0c8f51c2a001
            allow 1024-65535 192.168.1.0/24 1024-65535
            deny 0-65535 0.0.0.0/0 0-65535

            """);
        return LabProcess.Start(
            home.Router, Path!, ["-d", "-f", config, "-P", System.IO.Path.Combine(folder, "miniupnpd.pid")], System.IO.Path.Combine(folder, "miniupnpd.txt"));
    }

    private static string YesNo(bool value) => value ? "yes" : "no";
}
