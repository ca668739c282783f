namespace Carrier.Nat;

/// <summary>How the NAT before us chooses the external endpoint of a socket (RFC 4787 §4.1). Values are on the wire: never renumber.</summary>
public enum NatMapping
{
    /// <summary>Not seen from enough sides to tell.</summary>
    Unknown = 0,

    /// <summary>No translation: the endpoint others see is one of our own.</summary>
    None = 1,

    /// <summary>One external endpoint whoever is addressed: what others observed is worth punching.</summary>
    EndpointIndependent = 2,

    /// <summary>Another external port for another address; also said when address and port cannot be told apart.</summary>
    AddressDependent = 3,

    /// <summary>Another external port for another address or port.</summary>
    AddressAndPortDependent = 4,
}
