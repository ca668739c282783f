using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Carrier.Tunnels;

/// <summary>What is logged of tunnels. Ids are stable; no address is named.</summary>
internal static partial class TunnelLog
{
    [LoggerMessage(240, LogLevel.Information, "No answer by UDP: going through seeds over TLS.")]
    public static partial void Blocked(ILogger logger);

    [LoggerMessage(241, LogLevel.Information, "A tunnel to a seed is open.")]
    public static partial void Opened(ILogger logger);

    [LoggerMessage(242, LogLevel.Information, "UDP works again; going back to it.")]
    public static partial void Unblocked(ILogger logger);

    [LoggerMessage(243, LogLevel.Debug, "A tunnel to a seed could not be opened: {Reason}.")]
    public static partial void NotOpened(ILogger logger, string reason);

    [LoggerMessage(244, LogLevel.Warning, "A connection was not accepted: {Error}.")]
    public static partial void NotAccepted(ILogger logger, SocketError error);

    [LoggerMessage(245, LogLevel.Warning, "TCP port {Port} cannot be served ({Error}): devices without UDP will not reach this node.")]
    public static partial void NotServed(ILogger logger, int port, SocketError error);
}
