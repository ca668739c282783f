namespace Carrier.Core.Session.Streams;

/// <summary>Which of a session's streams goes first when not all can: in the terms of RFC 9218 §4. It orders what this side sends and is told to nobody.</summary>
/// <param name="Urgency">0 is sent before everything else, <see cref="LeastUrgent"/> only when nothing else waits.</param>
/// <param name="IsIncremental">Whether streams of one urgency take turns, a packet each; one that is not keeps its turn until it has nothing left to
/// send, as suits data that is of use only when it is whole.</param>
public readonly record struct StreamPriority(int Urgency, bool IsIncremental = true)
{
    /// <summary>The largest <see cref="Urgency"/>.</summary>
    public const int LeastUrgent = 7;

    /// <summary>What every stream begins with: the urgency of RFC 9218, and fair turns.</summary>
    public static StreamPriority Default => new(3);
}
