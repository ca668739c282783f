using Carrier.Nat;
using Carrier.Node.Homes;

namespace Carrier.Node;

/// <summary>What a node keeps over a restart. Opaque bytes of this version; what does not parse is ignored.</summary>
public readonly record struct NodeSnapshot(ReadOnlyMemory<byte> Dht, ReadOnlyMemory<byte> Peers);

/// <summary>How a node is doing, for status commands and metrics.</summary>
public sealed record NodeReport
{
    public required bool IsReady { get; init; }

    public required bool IsServing { get; init; }

    /// <summary>Where this device may be reached, best first.</summary>
    public required IReadOnlyList<Candidate> Candidates { get; init; }

    public required NatMapping Mapping { get; init; }

    /// <summary>What is known of the NAT before this device.</summary>
    public required NatDescription Nat { get; init; }

    /// <summary>How often a home is sent a keepalive: what the NAT was found to allow.</summary>
    public required TimeSpan KeepAliveInterval { get; init; }

    public required IReadOnlyList<HomeContact> Homes { get; init; }

    /// <summary>Entries of the routing table.</summary>
    public required int TableNodes { get; init; }

    /// <summary>Records kept for others.</summary>
    public required int StoredRecords { get; init; }

    public required double EstimatedNetworkSize { get; init; }

    public required int Sessions { get; init; }

    public required int Dials { get; init; }

    /// <summary>Devices registered here as their home.</summary>
    public required int Registrations { get; init; }

    public required int RelayChannels { get; init; }

    public required long RelayedBytes { get; init; }

    public required long RelayedPackets { get; init; }

    /// <summary>Buffers out with sessions; zero when no session holds data.</summary>
    public required int OutstandingSlabs { get; init; }
}
