using Carrier.Core.Identity;
using Microsoft.Extensions.Logging;

namespace Carrier;

/// <summary>What a node logs. Ids are stable; nothing here names a key or a payload.</summary>
internal static partial class NodeLog
{
    [LoggerMessage(200, LogLevel.Information, "Node of {Owner} started at {Endpoint}, serving: {IsServing}.")]
    public static partial void Started(ILogger logger, string owner, string endpoint, bool isServing);

    [LoggerMessage(201, LogLevel.Information, "Node of {Owner} stopped.")]
    public static partial void Stopped(ILogger logger, string owner);

    [LoggerMessage(202, LogLevel.Information, "The node is part of the network and can be found.")]
    public static partial void Ready(ILogger logger);

    [LoggerMessage(203, LogLevel.Warning, "The seed {Host} cannot be resolved to an address; going on without it.")]
    public static partial void SeedUnknown(ILogger logger, string host);

    [LoggerMessage(204, LogLevel.Warning, "The system does not tell of other addresses ({Reason}): a change of network is noticed up to ten seconds late.")]
    public static partial void NoNetworkChanges(ILogger logger, string reason);

    [LoggerMessage(210, LogLevel.Information, "A dial failed: {Error}.")]
    public static partial void DialFailed(ILogger logger, CarrierError error);

    [LoggerMessage(211, LogLevel.Warning, "A handshake was refused: the other side's delegation is {Verdict}.")]
    public static partial void HandshakeRefused(ILogger logger, DelegationVerdict verdict);

    [LoggerMessage(212, LogLevel.Debug, "Session {Session} moved to another path, relayed: {IsRelayed}.")]
    public static partial void PathChanged(ILogger logger, ulong session, bool isRelayed);

    [LoggerMessage(213, LogLevel.Error, "The handler of protocol {Protocol} failed; its session is closed.")]
    public static partial void HandlerFailed(ILogger logger, string protocol, Exception exception);

    [LoggerMessage(214, LogLevel.Error, "A subscriber of session {Session} failed when told of its new path.")]
    public static partial void SubscriberFailed(ILogger logger, ulong session, Exception exception);

    [LoggerMessage(220, LogLevel.Warning, "The node's state could not be kept in {Folder}.")]
    public static partial void StateNotKept(ILogger logger, string folder, Exception exception);

    [LoggerMessage(221, LogLevel.Warning, "The node's state in {Folder} could not be read; beginning without it.")]
    public static partial void StateNotRead(ILogger logger, string folder, Exception exception);
}
