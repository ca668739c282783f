using System.CommandLine;
using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier peers</c>: whom the running agent has sessions with.</summary>
internal static class PeersCommand
{
    public static Command Build()
    {
        var command = new Command("peers", "List the running agent's sessions: peer, protocol, path, bytes.");
        command.SetAction(CommandContext.Action((context, _, cancellationToken) =>
            context.RunOnDaemonAsync(new PeersRequest(), cancellationToken)));
        return command;
    }
}
