using Carrier.Core;

namespace Carrier.Nat.PortMapping;

/// <summary>The router to ask and what to map: its address, and this device's address towards it with the port to open.</summary>
/// <param name="Gateway">Port zero.</param>
/// <param name="Client">Address and UDP port of the socket that shall be reached.</param>
public readonly record struct GatewayRoute(Endpoint Gateway, Endpoint Client)
{
    /// <summary>Whether a datagram or a document's address is the gateway's own, at whatever port.</summary>
    public bool IsGateway(Endpoint remote) => remote.WithPort(0) == Gateway;

    /// <summary>Whether there is anything to map: a private address behind a router, both IPv4.</summary>
    public bool IsBehindGateway =>
        Gateway.IsIPv4 && Client.IsIPv4 && Client.Port != 0 && Client.Scope == AddressScope.Private && Gateway.Scope is AddressScope.Private or AddressScope.Global;
}
