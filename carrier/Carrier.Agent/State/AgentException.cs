namespace Carrier.Agent.State;

/// <summary>Ends a command with a sentence for the user, which says what to do next, and an exit code.</summary>
internal sealed class AgentException(ExitCode exitCode, string message, Exception? cause = null) : Exception(message, cause)
{
    public ExitCode ExitCode { get; } = exitCode;
}

/// <summary>What every command returns; part of its contract with scripts.</summary>
internal enum ExitCode
{
    Ok = 0,

    /// <summary>Something failed that is none of the below.</summary>
    Failure = 1,

    /// <summary>The command line, or a file or identity it names, is not right.</summary>
    Usage = 2,

    /// <summary>The command needs the agent of this home, and none is running.</summary>
    NoAgent = 3,

    /// <summary>The peer, name or record was not found, or nobody who knows could be reached.</summary>
    Unreachable = 4,

    /// <summary>The peer was reached and refused.</summary>
    Refused = 5,

    /// <summary>The connection broke or the transfer stopped; running the same command again goes on where it was.</summary>
    Interrupted = 6,

    /// <summary>Stopped by Ctrl-C or SIGTERM.</summary>
    Cancelled = 130,
}
