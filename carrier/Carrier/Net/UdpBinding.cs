using System.Net;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>Where and how a node's UDP sockets are bound.</summary>
internal sealed record UdpBinding
{
    /// <summary>The port of both address families, or zero for any.</summary>
    public ushort Port { get; init; }

    /// <summary>The local IPv4 address, or null for no IPv4.</summary>
    public IPAddress? IPv4 { get; init; } = IPAddress.Any;

    /// <summary>The local IPv6 address, or null for no IPv6. A machine without IPv6 goes on without.</summary>
    public IPAddress? IPv6 { get; init; } = IPAddress.IPv6Any;

    /// <summary>The kind to begin with instead of the fastest that works: for tests, and to keep segmentation off.</summary>
    public SocketKind? ForcedKind { get; init; }

    /// <summary>
    /// Binds the family of a server's advertised address to that address alone where the machine has others that the system might answer from:
    /// an answer counts only from the address asked. Elsewhere all addresses are served, a private network's beside the public one.
    /// </summary>
    /// <param name="advertised">Where others reach the server; not the machine's own behind port forwarding.</param>
    /// <param name="own">The machine's addresses of that family, with the port advertised.</param>
    public UdpBinding AnsweringFrom(Endpoint advertised, IReadOnlyCollection<Endpoint> own)
    {
        bool isAny = advertised.IsIPv4 ? IPAddress.Any.Equals(IPv4) : IPAddress.IPv6Any.Equals(IPv6);
        bool hasRivals = own.Any(other => other != advertised && other.Scope == advertised.Scope);
        if (!isAny || !hasRivals || !own.Contains(advertised))
        {
            return this;
        }

        IPAddress address = advertised.ToIPEndPoint().Address;
        return advertised.IsIPv4 ? this with { IPv4 = address } : this with { IPv6 = address };
    }

    /// <summary>What binds to this machine alone.</summary>
    public static UdpBinding Loopback { get; } = new() { IPv4 = IPAddress.Loopback, IPv6 = IPAddress.IPv6Loopback };
}
