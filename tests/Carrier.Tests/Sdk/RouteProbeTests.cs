using System.Globalization;
using System.Net;
using Carrier.Core;
using Carrier.Hosting;
using Carrier.Nat;
using Carrier.Tests.Nat;

namespace Carrier.Tests.Sdk;

/// <summary>Which families count as routed. Run in an empty network namespace too (<c>unshare -rn</c>), where the system knows no way to anywhere.</summary>
public class RouteProbeTests
{
    private static readonly Endpoint[] Nodes = [Addresses.Of("[2400:1::7]:4242"), Addresses.Of("80.80.80.80:4242"), Addresses.Of("10.0.0.1:4242"), Addresses.Of("127.0.0.1:4242")];

    [Theory]
    [InlineData(IPFamilies.Both, "192.0.2.1", "2001:db8::1")]
    [InlineData(IPFamilies.IPv4, "192.0.2.1")]
    [InlineData(IPFamilies.IPv6, "2001:db8::1")]
    [InlineData(IPFamilies.IPv4, "80.80.80.80")]
    [InlineData(IPFamilies.IPv6, "2400:1::7")]
    [InlineData(IPFamilies.Both, "192.0.2.1", "2400:1::7")]
    [InlineData(IPFamilies.IPv6, "2001:db8::1", "10.0.0.1", "127.0.0.1")] // nodes on the LAN or this machine say nothing of the internet
    [InlineData(IPFamilies.Both)] // between two networks, or on a LAN alone
    [InlineData(IPFamilies.Both, "10.0.0.1", "127.0.0.1")]
    public void A_family_is_routed_that_leads_anywhere_or_to_a_node_told_of(IPFamilies expected, params string[] routed) =>
        Assert.Equal(expected, RouteProbe.RoutedFamilies(Nodes, remote => routed.Contains(remote.Address.ToString())));

    [Fact]
    public void The_system_is_asked_and_knows_as_much_as_its_table()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads Linux's routing table");
        IPEndPoint remote = new(IPAddress.Parse("192.0.2.1"), 9);
        uint address = BitConverter.ToUInt32(remote.Address.GetAddressBytes());
        bool isInTable = File.ReadLines("/proc/net/route").Skip(1).Select(line => line.Split('\t'))
            .Any(route => (address & Hex(route[7])) == Hex(route[1]));
        Assert.Equal(isInTable, RouteProbe.HasRoute(remote));
    }

    private static uint Hex(string text) => uint.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
