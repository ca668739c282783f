using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Net;

namespace Carrier.Hosting;

/// <summary>The addresses of this machine's interfaces, with the port of the socket that hears them.</summary>
internal static class HostEndpoints
{
    public static Endpoint[] Of(DatagramSockets sockets)
    {
        List<Endpoint> hosts = [];
        foreach (AddressFamily family in (ReadOnlySpan<AddressFamily>)[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            Endpoint bound = sockets.LocalEndpoint(family);
            if (bound.Port != 0)
            {
                // A socket bound to one address, loopback too, is heard there alone.
                hosts.AddRange(IsAnyAddress(bound) ? OfThisMachine(family, bound.Port) : [bound]);
            }
        }

        return [.. hosts];
    }

    /// <summary>False between two networks, when there is no address, or only one that an IPv6 interface gives itself: nothing to go by until the next network.</summary>
    public static bool AreOfANetwork(Endpoint[] hosts) => Array.Exists(hosts, host => host.IsIPv4 || host.Scope != AddressScope.LinkLocal);

    /// <summary>Whether an endpoint is bound to every address of its family.</summary>
    public static bool IsAnyAddress(Endpoint endpoint) =>
        endpoint.ToIPEndPoint().Address is var address && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any));

    /// <summary>The addresses of a family that others may reach this machine at, each with <paramref name="port"/>.</summary>
    public static List<Endpoint> OfThisMachine(AddressFamily family, int port)
    {
        List<Endpoint> own = [];
        foreach (NetworkInterface card in NetworkInterface.GetAllNetworkInterfaces())
        {
            if (card.OperationalStatus is not (OperationalStatus.Up or OperationalStatus.Unknown) || card.NetworkInterfaceType == NetworkInterfaceType.Loopback)
            {
                continue;
            }

            foreach (UnicastIPAddressInformation unicast in card.GetIPProperties().UnicastAddresses)
            {
                Endpoint endpoint = Endpoint.From(new IPEndPoint(unicast.Address, port));
                if (unicast.Address.AddressFamily == family && endpoint.Scope is not (AddressScope.Unusable or AddressScope.Loopback))
                {
                    own.Add(endpoint);
                }
            }
        }

        return own;
    }
}
