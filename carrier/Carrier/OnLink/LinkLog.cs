using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Carrier.OnLink;

/// <summary>What is logged of multicast DNS. Ids are stable; nobody is named.</summary>
internal static partial class LinkLog
{
    [LoggerMessage(240, LogLevel.Debug, "No socket for multicast DNS over {Family}: {Error}.")]
    public static partial void NoSocket(ILogger logger, AddressFamily family, SocketError error);

    [LoggerMessage(241, LogLevel.Debug, "A multicast DNS message was not sent: {Error}.")]
    public static partial void NotSent(ILogger logger, SocketError error);

    [LoggerMessage(242, LogLevel.Information, "Found by multicast DNS on {Links} interfaces.")]
    public static partial void Announced(ILogger logger, int links);
}
