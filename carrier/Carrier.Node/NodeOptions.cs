using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session;
using Carrier.Dht;
using Carrier.Node.Homes;
using Carrier.Node.Relay;

namespace Carrier.Node;

/// <summary>What a node is told when it is made. Everything has a default that suits a device behind a home router.</summary>
public sealed record NodeOptions
{
    /// <summary>Nodes to begin with: transport key and endpoint.</summary>
    public IReadOnlyList<HomeContact> Seeds { get; init; } = [];

    /// <summary>Whether this node serves others: DHT, STUN, homes and relay. Only for publicly reachable nodes.</summary>
    public bool Serve { get; init; }

    /// <summary>The endpoint others reach a serving node at; none where it shall be learnt from answers.</summary>
    public Endpoint Advertise { get; init; }

    public DhtOptions Dht { get; init; } = DhtOptions.Default;

    public SessionOptions Session { get; init; } = SessionOptions.Default;

    public TransportParameters Transport { get; init; } = TransportParameters.Default;

    /// <summary>Cipher suites in our order.</summary>
    public IReadOnlyList<CipherSuite> Ciphers { get; init; } = [.. CipherSuites.Supported];

    public RelayBudgets Relay { get; init; } = new();

    public HomeLimits Homes { get; init; } = new();

    /// <summary>How long a dial may take before it fails.</summary>
    public TimeSpan DialTimeout { get; init; } = TimeSpan.FromSeconds(15);
}
