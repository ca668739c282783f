using Carrier.Core.Session.Recovery;

namespace Carrier;

/// <summary>What is chosen for one session when it is dialled.</summary>
public sealed record ConnectOptions
{
    public static ConnectOptions Default { get; } = new();

    /// <summary>How this side's sending reacts to the path: <see cref="Core.Session.Recovery.CongestionControl.Bbr"/> for one that loses packets without being
    /// full. Null is the node's own choice.</summary>
    public CongestionControl? CongestionControl { get; init; }
}
