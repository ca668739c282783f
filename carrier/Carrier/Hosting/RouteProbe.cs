using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat;

namespace Carrier.Hosting;

/// <summary>Asks the system which families have a route out of this machine's own networks: an address on a bridge for containers is not one.</summary>
/// <remarks>Connecting a UDP socket looks the route up and sends nothing (RFC 6724 §2 chooses source addresses so).</remarks>
internal static class RouteProbe
{
    /// <summary>Of the ranges for documentation (RFC 5737, RFC 3849): nobody's, so what leads there is the default route.</summary>
    private static readonly IPEndPoint[] Anywhere = [new(IPAddress.Parse("192.0.2.1"), 9), new(IPAddress.Parse("2001:db8::1"), 9)];

    /// <summary>The families with a route to anywhere, or to a node of the internet that this machine was told of.</summary>
    /// <param name="nodes">The nodes told of; those with near addresses say nothing of the internet.</param>
    /// <returns>Both where neither has one: the machine is between two networks, or on a LAN alone, and no family is the better one.</returns>
    public static IPFamilies RoutedFamilies(IEnumerable<Endpoint> nodes) => RoutedFamilies(nodes, HasRoute);

    internal static IPFamilies RoutedFamilies(IEnumerable<Endpoint> nodes, Predicate<IPEndPoint> hasRoute)
    {
        IPFamilies routed = IPFamilies.None;
        foreach (IPEndPoint remote in Anywhere.Concat(nodes.Where(node => node.Scope == AddressScope.Global).Select(node => node.ToIPEndPoint())))
        {
            IPFamilies family = remote.AddressFamily == AddressFamily.InterNetwork ? IPFamilies.IPv4 : IPFamilies.IPv6;
            if ((routed & family) == 0 && hasRoute(remote))
            {
                routed |= family;
            }
        }

        return routed == IPFamilies.None ? IPFamilies.Both : routed;
    }

    /// <summary>Whether the system knows a way to an address; a system that will not say is taken to.</summary>
    internal static bool HasRoute(IPEndPoint remote)
    {
        try
        {
            using Socket socket = new(remote.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(remote);
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is not (SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported);
        }
    }
}
