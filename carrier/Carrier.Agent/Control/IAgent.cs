using Carrier.Agent.State;

namespace Carrier.Agent.Control;

/// <summary>Who does what a command asks: the daemon over its socket, or a node in this process. A command cannot tell which.</summary>
internal interface IAgent
{
    /// <summary>Does it, talking to <paramref name="conversation"/> meanwhile.</summary>
    /// <exception cref="AgentException">It failed; says why and what to do next.</exception>
    Task RunAsync(ControlRequest request, IConversation conversation, CancellationToken cancellationToken);
}

/// <summary>The other end of a request: whoever asked.</summary>
internal interface IConversation
{
    /// <summary>The data of a request that has some. Its end is the end; if the asker vanishes, reading throws <see cref="IOException"/>.</summary>
    Stream Input { get; }

    /// <summary>Where the data of a <see cref="PipeRequest"/> goes, once <see cref="OpenedReply"/> was said; disposing it is its end.</summary>
    Stream Output => Stream.Null;

    ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken);

    /// <summary>Asks somebody; false when nobody answers before <paramref name="cancellationToken"/>.</summary>
    ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken);
}
