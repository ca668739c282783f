namespace Carrier.Agent.Network;

/// <summary>The path a session uses now.</summary>
/// <param name="Kind"><see cref="Direct"/> or <see cref="Relay"/>.</param>
internal sealed record PathReport(string Kind, string Address, double RttMs)
{
    public const string Direct = "direct";
    public const string Relay = "relay";
}

/// <summary>A device found at a TrustID.</summary>
internal sealed record DeviceReport(
    string Device, ulong Serial, IReadOnlyList<string> Candidates, IReadOnlyList<string> Homes, DateTimeOffset? Expires);

/// <summary>What a node says of itself.</summary>
internal sealed record StatusReport(
    string TrustId,
    string Role,
    bool Ready,
    IReadOnlyList<string> LocalEndpoints,
    IReadOnlyList<string> ReflexiveEndpoints,
    string NatMapping,
    IReadOnlyList<string> Homes,
    int TableSize,
    int Sessions,
    long Drops);

/// <summary>A live session.</summary>
internal sealed record PeerReport(string TrustId, string Protocol, PathReport Path, long BytesIn, long BytesOut);
