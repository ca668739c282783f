namespace Carrier.Node.Dialing;

/// <summary>Why a dial ended without a session.</summary>
public enum DialFailure
{
    None,

    /// <summary>The network answered and holds no record at this TrustID: nobody with it has been online lately.</summary>
    NotFound,

    /// <summary>No node of the network answered at all, and nothing was known from before.</summary>
    NetworkUnreachable,

    /// <summary>Devices are known, none answered in time on any path.</summary>
    Unreachable,

    /// <summary>Every device's delegation is expired, revoked or forged.</summary>
    NotTrusted,

    /// <summary>This node has too many dials or lookups under way, or no identity to dial with.</summary>
    Busy,
}
