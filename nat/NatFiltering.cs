namespace Carrier.Nat;

/// <summary>Whose packets the NAT before us lets in to a mapping (RFC 4787 §5). Values are on the wire: never renumber.</summary>
public enum NatFiltering
{
    /// <summary>Not seen yet. Taken for <see cref="AddressAndPortDependent"/> until something shows otherwise.</summary>
    Unknown = 0,

    /// <summary>Anybody's.</summary>
    EndpointIndependent = 1,

    /// <summary>Those of addresses we have sent to.</summary>
    AddressDependent = 2,

    /// <summary>Those of endpoints we have sent to.</summary>
    AddressAndPortDependent = 3,
}
