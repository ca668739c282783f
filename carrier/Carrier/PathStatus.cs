using Carrier.Core;

namespace Carrier;

public enum PathKind
{
    /// <summary>Straight to the peer.</summary>
    Direct,

    /// <summary>Through a home of the peer.</summary>
    Relay,
}

/// <summary>The path a session's packets leave over.</summary>
/// <param name="Kind">Direct or relayed.</param>
/// <param name="Address">Where they go: the peer, or the relay.</param>
/// <param name="Rtt">The smoothed round trip (RFC 9002 §5).</param>
public sealed record PathStatus(PathKind Kind, Endpoint Address, TimeSpan Rtt);
