namespace Carrier.Agent.Network;

/// <summary>The SDK's errors as the agent tells them: what happened and what to do next.</summary>
internal static class Failures
{
    public static NetworkException Of(CarrierException e) => e.Error switch
    {
        CarrierError.NotFound => new(NetworkFailure.NotFound, "Nobody announced this TrustID: is its agent running, and on the same network of seeds?", e),
        CarrierError.Unreachable or CarrierError.TimedOut => new(NetworkFailure.Unreachable, "The peer is announced but does not answer: it may be off. Try again.", e),
        CarrierError.NetworkUnreachable => new(NetworkFailure.Unreachable, "No seed and no known node answers: check --seed and that UDP may leave this machine.", e),
        CarrierError.Refused or CarrierError.NotTrusted => new(NetworkFailure.Refused, $"The peer is not who it should be, or refuses us: {e.Message}", e),
        CarrierError.ProtocolNotSpoken => new(NetworkFailure.Refused, "The peer does not take this: it must run carrier up or carrier receive.", e),
        CarrierError.Busy => new(NetworkFailure.Unreachable, "The peer is too busy: try again later.", e),
        CarrierError.NodeStopped => new(NetworkFailure.Stopped, "The node stopped.", e),
        _ => new(NetworkFailure.Ended, $"The session ended: {e.Message}", e),
    };
}
