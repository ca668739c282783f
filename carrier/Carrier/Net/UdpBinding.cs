using System.Net;

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

    /// <summary>What binds to this machine alone.</summary>
    public static UdpBinding Loopback { get; } = new() { IPv4 = IPAddress.Loopback, IPv6 = IPAddress.IPv6Loopback };
}
