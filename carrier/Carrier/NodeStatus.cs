using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Nat;

namespace Carrier;

/// <summary>How a node is doing.</summary>
public sealed record NodeStatus
{
    public required TrustId TrustId { get; init; }

    /// <summary>Whether it serves others, or only itself.</summary>
    public required bool IsServing { get; init; }

    /// <summary>Whether it is part of the network and can be found.</summary>
    public required bool IsReady { get; init; }

    /// <summary>What its sockets are bound to.</summary>
    public required IReadOnlyList<Endpoint> LocalEndpoints { get; init; }

    /// <summary>Where it may be reached, best first, and how each was learnt.</summary>
    public required IReadOnlyList<Candidate> Candidates { get; init; }

    /// <summary>How the NAT before it maps, as far as others' reports tell.</summary>
    public required NatMapping Mapping { get; init; }

    /// <summary>The nodes it is registered at.</summary>
    public required IReadOnlyList<SeedAddress> Homes { get; init; }

    /// <summary>Nodes in its routing table.</summary>
    public required int TableNodes { get; init; }

    public required double EstimatedNetworkSize { get; init; }

    /// <summary>Records kept for others.</summary>
    public required int StoredRecords { get; init; }

    public required int Sessions { get; init; }

    /// <summary>Devices registered here.</summary>
    public required int Registrations { get; init; }

    /// <summary>Pairs of devices relayed between.</summary>
    public required int RelayChannels { get; init; }

    public required long RelayedBytes { get; init; }

    /// <summary>What was received and not used, by reason; reasons never met are left out.</summary>
    public required IReadOnlyDictionary<DropReason, long> Drops { get; init; }
}

/// <summary>One live session.</summary>
public sealed record PeerStatus
{
    public required TrustId Peer { get; init; }

    public required string Protocol { get; init; }

    /// <summary>Whether this node dialled.</summary>
    public required bool IsOutgoing { get; init; }

    public required PathStatus Path { get; init; }

    public required long BytesSent { get; init; }

    public required long BytesReceived { get; init; }
}
