using System.Net;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session.Recovery;
using Carrier.Net;
using Carrier.Node.Relay;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier;

/// <summary>What a node is told at its start. All but the identity has a default that suits a device behind a home router.</summary>
public sealed record CarrierNodeOptions
{
    public required NodeIdentity Identity { get; init; }

    /// <summary>Nodes to begin with. One that answers is enough; none is needed by a node whose state was kept.</summary>
    public IReadOnlyList<SeedAddress> Seeds { get; init; } = [];

    /// <summary>Where to bind: one address and port, or <c>[::]</c> for both families. Null is any address and a port of the system's choice.</summary>
    public IPEndPoint? Listen { get; init; }

    /// <summary>Whether to join the DHT as a server and to offer STUN, homes and relay. Only for publicly reachable nodes.</summary>
    public bool Serve { get; init; }

    /// <summary>Where others reach a serving node. Null is the bound address, where that is one.</summary>
    public Endpoint? Advertise { get; init; }

    /// <summary>How much a serving node relays for others.</summary>
    public RelayBudgets Relay { get; init; } = new();

    /// <summary>Whether to ask the router for a forwarded port (PCP, NAT-PMP, UPnP). Never done by a node that serves or is bound to loopback alone.</summary>
    public bool PortMapping { get; init; } = true;

    /// <summary>Whether to find devices on the same link by multicast DNS and be found there, without any seed. Never done by a node that serves or is bound to loopback alone.</summary>
    public bool MulticastDns { get; init; } = true;

    /// <summary>The TCP port at seeds where a network without UDP is left through TLS. Zero never does.</summary>
    public ushort TunnelPort { get; init; } = 443;

    /// <summary>Where a serving node takes such connections; null nowhere.</summary>
    public IPEndPoint? TunnelListen { get; init; }

    /// <summary>A folder for the routing table, records and devices met; made if missing. Null keeps nothing over a restart.</summary>
    public string? StateDirectory { get; init; }

    /// <summary>How long a dial may take.</summary>
    public TimeSpan DialTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The congestion controller of this side's sessions, unless a dial chooses another (<see cref="ConnectOptions"/>).</summary>
    public CongestionControl CongestionControl { get; init; }

    /// <summary>How long the network thread, and the one the application wakes on, look for work before they sleep while traffic is brisk, yielding the core to
    /// each other. It saves wake-ups and costs a core meanwhile. Zero, the default, never does.</summary>
    public TimeSpan SpinBeforeBlocking { get; init; }

    /// <summary>For tests and measurements: the way datagrams enter the kernel, instead of the fastest that works.</summary>
    public SocketKind? ForcedSocketKind { get; init; }

    /// <summary>For tests and measurements: the one cipher offered and taken.</summary>
    public CipherSuite? ForcedCipher { get; init; }

    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;
}
