using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary>How a command talks to whoever started it.</summary>
internal interface IPresenter : IConversation
{
    /// <summary>Whether somebody is there to be asked.</summary>
    bool CanAsk { get; }

    /// <summary>Prints a reply of the command's own.</summary>
    void Say(ControlReply reply);

    /// <summary>Something doubtful, beside the output.</summary>
    void Warn(string message);

    /// <summary>How it ended, when it did not end well.</summary>
    void End(EndReply end);

    /// <summary>Runs something that takes a while, with a progress bar where there is a terminal.</summary>
    Task WithProgressAsync(Func<Task> work);
}
