using System.Net.Sockets;
using Carrier.Nat.PortMapping;
using Microsoft.Extensions.Logging;

namespace Carrier.Gateways;

/// <summary>What is logged of gateways. Ids are stable; no address is named.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(230, LogLevel.Information, "The router forwards its UDP port {Port} to this node, by {Protocol}.")]
    public static partial void Mapped(ILogger logger, ushort port, PortMappingKind protocol);

    [LoggerMessage(231, LogLevel.Information, "The router forwards no port to this node any more.")]
    public static partial void MappingLost(ILogger logger);

    [LoggerMessage(232, LogLevel.Information, "The router is itself behind a NAT: a port forwarded there would lead nowhere.")]
    public static partial void DoubleNat(ILogger logger);

    [LoggerMessage(233, LogLevel.Debug, "No socket towards the router: {Error}.")]
    public static partial void NoSocket(ILogger logger, SocketError error);

    [LoggerMessage(234, LogLevel.Debug, "A request to the router was not sent: {Error}.")]
    public static partial void NotSent(ILogger logger, SocketError error);
}
