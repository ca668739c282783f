using Carrier.Chain.Access;

namespace Carrier.Chain.Spv;

/// <summary>A peer failed; the connection is of no more use.</summary>
public sealed class SpvException(SpvFault fault, string message) : Exception(message)
{
    public SpvFault Fault { get; } = fault;

    /// <summary>The same in the words that reports about nodes use.</summary>
    public NodeFault NodeFault => Fault switch
    {
        SpvFault.Unreachable => NodeFault.Unreachable,
        SpvFault.TimedOut => NodeFault.TimedOut,
        SpvFault.Flood => NodeFault.TooLarge,
        SpvFault.Lie => NodeFault.Lie,
        _ => NodeFault.Malformed,
    };
}

/// <summary>How a peer failed.</summary>
public enum SpvFault
{
    /// <summary>No connection, or it hung up.</summary>
    Unreachable,
    TimedOut,

    /// <summary>Bytes that are no message.</summary>
    Malformed,

    /// <summary>It does not have what was asked for.</summary>
    NotFound,

    /// <summary>Too much that nobody asked for.</summary>
    Flood,

    /// <summary>It contradicts a hash.</summary>
    Lie,
}
