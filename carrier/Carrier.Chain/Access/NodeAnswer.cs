namespace Carrier.Chain.Access;

/// <summary>What a node answered, or why there is nothing to believe. Nothing a node does is an exception.</summary>
/// <param name="Value">The answer; meaningful when <paramref name="Fault"/> is none.</param>
/// <param name="Fault">What went wrong.</param>
/// <param name="Code">The node's own error number, for <see cref="NodeFault.Error"/>.</param>
/// <param name="Detail">A sentence, perhaps the node's words: show it escaped.</param>
public readonly record struct NodeAnswer<T>(T? Value, NodeFault Fault = NodeFault.None, int Code = 0, string Detail = "")
{
    public bool IsGood => Fault == NodeFault.None;

    /// <summary>The same failure of another type.</summary>
    public NodeAnswer<TOther> As<TOther>() => new(default, Fault, Code, Detail);
}

/// <summary>How a node failed.</summary>
public enum NodeFault
{
    None,

    /// <summary>No connection, or it broke.</summary>
    Unreachable,

    /// <summary>It took longer than allowed; whole answers are timed, so dripping bytes buys nothing.</summary>
    TimedOut,

    /// <summary>An HTTP status that is not 200: wrong password, wrong address.</summary>
    Http,

    /// <summary>It sent more than any honest answer holds.</summary>
    TooLarge,

    /// <summary>It is not the JSON or the types that were asked for.</summary>
    Malformed,

    /// <summary>The node refused, with a code.</summary>
    Error,

    /// <summary>It contradicts a proof or itself: a hash, an amount, a rule of the chain.</summary>
    Lie,
}
