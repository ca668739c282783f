namespace Carrier.Nat;

/// <summary>How the NAT before us picks the external port of a new mapping. Values are on the wire: never renumber.</summary>
public enum PortAllocation
{
    Unknown = 0,

    /// <summary>Any free port of the range.</summary>
    Random = 1,

    /// <summary>The one before plus a fixed step.</summary>
    Sequential = 2,
}
