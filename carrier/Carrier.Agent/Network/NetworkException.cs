namespace Carrier.Agent.Network;

/// <summary>A peer that cannot be spoken to, and why.</summary>
internal sealed class NetworkException(NetworkFailure failure, string message, Exception? cause = null) : Exception(message, cause)
{
    public NetworkFailure Failure { get; } = failure;
}

/// <summary>Why a peer cannot be spoken to.</summary>
internal enum NetworkFailure
{
    /// <summary>Nobody announced this TrustID.</summary>
    NotFound,

    /// <summary>It was announced, and did not answer.</summary>
    Unreachable,

    /// <summary>It answered, and will not speak with us or not this protocol.</summary>
    Refused,

    /// <summary>The session ended.</summary>
    Ended,

    /// <summary>Our own node stopped.</summary>
    Stopped,
}
