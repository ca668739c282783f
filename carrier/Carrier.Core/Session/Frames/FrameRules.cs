using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Frames;

/// <summary>Which frames exist, in which state each may be processed, and what each asks of its receiver: one explicit table.</summary>
internal static class FrameRules
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool IsKnown(FrameType type) => type is
        FrameType.Padding or FrameType.Ping or FrameType.Ack or FrameType.AckEcn or FrameType.ResetStream or FrameType.StopSending
        or (>= FrameType.Stream and <= FrameType.StreamLast)
        or FrameType.MaxData or FrameType.MaxStreamData or FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional
        or FrameType.NewConnectionId or FrameType.RetireConnectionId or FrameType.PathChallenge or FrameType.PathResponse
        or FrameType.Close or FrameType.ApplicationClose or FrameType.Candidates or FrameType.ObservedAddress or FrameType.PunchCall
        or FrameType.Datagram or FrameType.DatagramWithLength;

    /// <summary>Whether a frame is acted on. A session is <see cref="SessionState.Open"/> before the first packet's frames are looked at, so
    /// Unconfirmed allows none; a closing session still learns that its peer closed too; a draining or closed one learns nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool IsAllowed(FrameType type, SessionState state) => state switch
    {
        SessionState.Open => IsKnown(type),
        SessionState.Closing => type is FrameType.Close or FrameType.ApplicationClose,
        SessionState.Unconfirmed or SessionState.Draining or SessionState.Closed => false,
        _ => false,
    };

    /// <summary>Whether a packet holding this frame must be acknowledged. Path probes are not: PATH_RESPONSE answers PATH_CHALLENGE,
    /// on its own schedule and outside congestion control.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsAckEliciting(FrameType type) =>
        type is not (FrameType.Padding or FrameType.Ack or FrameType.AckEcn or FrameType.Close or FrameType.ApplicationClose
            or FrameType.PathChallenge or FrameType.PathResponse);

    /// <summary>Whether a packet of only such frames says nothing about which path its sender uses (RFC 9000 §9.1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsProbing(FrameType type) =>
        type is FrameType.Padding or FrameType.PathChallenge or FrameType.PathResponse;
}
