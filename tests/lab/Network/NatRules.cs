namespace Carrier.Lab.Network;

/// <summary>
/// nftables rulesets: one for each kind of router the kernel can be (outer interface <c>wan0</c>, whatever else is inside) and one for the core.
/// A rule's end must be a new line: nft 1.0.6 takes no <c>}</c> after a rule on the same line.
/// </summary>
internal static class NatRules
{
    /// <summary>Packets below this would not have crossed the world: an opener sent with a low TTL must open only its own NAT.</summary>
    public const int LowestTtlCarried = 16;

    public static string For(NatKind kind) => kind switch
    {
        NatKind.Firewall => Firewall,
        NatKind.IPv6Firewall => IPv6Firewall,
        NatKind.PortRestricted => Router("oifname \"wan0\" masquerade"),
        NatKind.PortShift => Router("oifname \"wan0\" masquerade", unsolicited: "accept"),
        NatKind.Symmetric => Router("oifname \"wan0\" masquerade fully-random"),
        NatKind.UdpBlocked => Router("oifname \"wan0\" masquerade", forward: "meta l4proto != udp accept"),
        NatKind.Tcp443Only => Router("oifname \"wan0\" masquerade", forward: "tcp dport 443 accept"),
        NatKind.FullCone => Cone("iifname \"wan0\" meta l4proto udp dnat ip to udp dport map @filtering"),
        NatKind.AddressRestricted => Cone("iifname \"wan0\" meta l4proto udp udp dport . ip saddr @contacted dnat ip to udp dport map @filtering"),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "made in userspace"),
    };

    /// <summary>
    /// The core carries nothing to or from private addresses, and counts the bytes of each (source, destination) as packets enter from a
    /// site: <see cref="FlowCounters"/> reads them, so a claim of "direct" is checked by what the network saw.
    /// What is in <c>severed</c> does not reach each other directly.
    /// </summary>
    public static string Core => $$"""
        table ip core {
            set flows {
                type ipv4_addr . ipv4_addr
                flags dynamic
                size 4096
                counter
            }
            set severed {
                type ipv4_addr . ipv4_addr
            }
            chain carry {
                type filter hook forward priority filter; policy accept;
                ip saddr { 10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16 } drop
                ip daddr { 10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16 } drop
                ip saddr . ip daddr @severed drop
                iifname "tun0" accept
                ip ttl < {{LowestTtlCarried}} drop
                add @flows { ip saddr . ip daddr }
            }
        }
        table ip6 core {
            set flows {
                type ipv6_addr . ipv6_addr
                flags dynamic
                size 4096
                counter
            }
            chain carry {
                type filter hook forward priority filter; policy accept;
                ip6 saddr { fc00::/7, fe80::/10 } drop
                ip6 daddr { fc00::/7, fe80::/10 } drop
                iifname "tun0" accept
                ip6 hoplimit < {{LowestTtlCarried}} drop
                add @flows { ip6 saddr . ip6 daddr }
            }
        }

        """;

    /// <summary>
    /// Address-and-port-dependent filtering, as conntrack gives it. Unsolicited packets are dropped before conntrack confirms them: were they
    /// let in, the entry they leave would push our own later packet to that peer onto another port.
    /// </summary>
    /// <param name="unsolicited">What happens to packets for the router itself that nobody asked for.</param>
    /// <param name="forward">What hosts behind it may send.</param>
    private static string Router(string sourceNat, string unsolicited = "drop", string forward = "accept") => $$"""
        table ip home {
            chain outward {
                type nat hook postrouting priority srcnat; policy accept;
                {{sourceNat}}
            }
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                iifname != "wan0" oifname "wan0" {{forward}}
                iifname "lan0" oifname "lan0" accept
            }
            chain input {
                type filter hook input priority filter; policy {{unsolicited}};
                ct state established,related accept
                iifname != "wan0" accept
            }
        }

        """;

    /// <summary>A router forwards nothing until <see cref="Rebound"/>: a flow that went on while others are forgotten would teach its old port.</summary>
    public const string Pause = """
        table ip pause {
            chain forward {
                type filter hook forward priority filter - 1; policy drop;
            }
        }

        """;

    /// <summary>
    /// For a paused router made by <see cref="Router"/>: each of the host's UDP sockets gets another port than its own, one for all
    /// destinations, and another one each time this is applied. One port for the host would not do: two sockets would be one flow to a
    /// destination both know, and the kernel drops the packets of the second.
    /// </summary>
    public static string Rebound => """
        table ip home {
            map mapping {
                type ipv4_addr . inet_service : inet_service
                flags dynamic,timeout
                timeout 120s
                size 4096
            }
            chain outward {
                type nat hook postrouting priority srcnat; policy accept;
            }
            chain learn {
                type filter hook postrouting priority srcnat + 1; policy accept;
            }
        }
        flush map ip home mapping
        flush chain ip home outward
        flush chain ip home learn
        delete table ip pause
        table ip home {
            chain outward {
                oifname "wan0" meta l4proto udp masquerade to :ip saddr . udp sport map @mapping
                oifname "wan0" meta l4proto udp masquerade fully-random
                oifname "wan0" masquerade
            }
            chain learn {
                oifname "wan0" meta l4proto udp ct direction original update @mapping { ct original ip saddr . ct original proto-src : udp sport }
            }
        }

        """;

    /// <summary>A home router for IPv6: nothing is translated, and what no host asked for is not heard. Neighbour discovery is not connection-tracked.</summary>
    private const string IPv6Firewall = """
        table ip6 home {
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                iifname != "wan0" oifname "wan0" accept
                iifname "lan0" oifname "lan0" accept
            }
            chain input {
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
                iifname != "wan0" accept
            }
        }

        """;

    /// <summary>On the host itself: nobody translates, and what was not asked for is not heard.</summary>
    private const string Firewall = """
        table ip home {
            chain input {
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                iifname "lo" accept
            }
        }

        """;

    /// <summary>
    /// Endpoint-independent mapping; <paramref name="inward"/> filters, by address where it looks at <c>contacted</c>. After source NAT chose a port, <c>learn</c> notes inner endpoint to outer port (so the next
    /// destination gets the same port) and outer port to inner endpoint (so anyone's packet to that port is let in). Only a flow's original
    /// direction teaches: an answer to a stranger would teach the stranger's address.
    /// </summary>
    private static string Cone(string inward) => $$"""
        table ip home {
            map mapping {
                type ipv4_addr . inet_service : inet_service
                flags dynamic,timeout
                timeout 120s
                size 4096
            }
            map filtering {
                type inet_service : ipv4_addr . inet_service
                flags dynamic,timeout
                timeout 120s
                size 4096
            }
            set contacted {
                type inet_service . ipv4_addr
                flags dynamic,timeout
                timeout 120s
                size 4096
            }
            chain inward {
                type nat hook prerouting priority dstnat; policy accept;
                {{inward}}
            }
            chain outward {
                type nat hook postrouting priority srcnat; policy accept;
                oifname "wan0" meta l4proto udp masquerade to :ip saddr . udp sport map @mapping
                oifname "wan0" masquerade
            }
            chain learn {
                type filter hook postrouting priority srcnat + 1; policy accept;
                oifname "wan0" meta l4proto udp ct direction original update @mapping { ct original ip saddr . ct original proto-src : udp sport }
                oifname "wan0" meta l4proto udp ct direction original update @filtering { udp sport : ct original ip saddr . ct original proto-src }
                oifname "wan0" meta l4proto udp update @contacted { udp sport . ip daddr }
            }
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                iifname "lan0" oifname "wan0" accept
                iifname "wan0" ct status dnat accept
            }
            chain input {
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                iifname { "lo", "lan0" } accept
            }
        }

        """;
}
