using System.Net;
using System.Net.NetworkInformation;
using Carrier.Core;
using Carrier.Nat.Mdns;

namespace Carrier.OnLink;

/// <summary>The interfaces of this machine on which multicast DNS is spoken: those that can, with the addresses at which the node is heard.</summary>
internal static class LinkInterfaces
{
    /// <param name="hosts">Where the node's own sockets are heard: addresses that are not among them are not announced.</param>
    /// <param name="port">The port announced; an address heard at another one is left out.</param>
    public static IReadOnlyList<MdnsLink> Of(IReadOnlyCollection<Endpoint> hosts, ushort port)
    {
        List<MdnsLink> links = [];
        foreach (NetworkInterface card in NetworkInterface.GetAllNetworkInterfaces())
        {
            bool isLink = card.OperationalStatus is (OperationalStatus.Up or OperationalStatus.Unknown) && card.SupportsMulticast
                && card.NetworkInterfaceType is not (NetworkInterfaceType.Loopback or NetworkInterfaceType.Ppp or NetworkInterfaceType.Tunnel);
            LinkAddress[] addresses = isLink ? [.. AddressesOf(card).Where(each => hosts.Contains(each.Address.WithPort(port)))] : [];
            if (addresses.Length > 0)
            {
                links.Add(new MdnsLink(IndexOf(card), addresses));
            }
        }

        return links;
    }

    private static IEnumerable<LinkAddress> AddressesOf(NetworkInterface card) =>
        card.GetIPProperties().UnicastAddresses.Select(each => new LinkAddress(Endpoint.From(new IPEndPoint(each.Address, 0)), each.PrefixLength));

    // One number for both families on every system that .NET runs on.
    private static int IndexOf(NetworkInterface card)
    {
        IPInterfaceProperties properties = card.GetIPProperties();
        return card.Supports(NetworkInterfaceComponent.IPv4) ? properties.GetIPv4Properties().Index : properties.GetIPv6Properties().Index;
    }
}
