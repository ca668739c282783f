using Carrier.Core;
using Carrier.Nat;
using Carrier.Net;

namespace Carrier.Hosting;

/// <summary>How this machine is connected: its interfaces' addresses, with the port of the socket that hears them, and the families with a route out of its own networks.</summary>
internal sealed record Surroundings(Endpoint[] Hosts, IPFamilies Routed)
{
    /// <summary>As they are now. Asks the system; sends nothing.</summary>
    /// <param name="sockets">The node's.</param>
    /// <param name="nodes">Nodes of the network told of, to which there may be a route and to nowhere else.</param>
    public static Surroundings Of(DatagramSockets sockets, IEnumerable<Endpoint> nodes) => new(HostEndpoints.Of(sockets), RouteProbe.RoutedFamilies(nodes));

    /// <summary>Whether they are those of another network than <paramref name="before"/>. Between two networks they are not: there is nothing to go by until the next.</summary>
    public bool AreOther(Surroundings before) => HostEndpoints.AreOfANetwork(Hosts) && (Routed != before.Routed || !Hosts.AsSpan().SequenceEqual(before.Hosts));
}
