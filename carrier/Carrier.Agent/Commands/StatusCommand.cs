using System.CommandLine;
using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier status</c>: how the running agent is.</summary>
internal static class StatusCommand
{
    public static Command Build()
    {
        var command = new Command("status", "Show the running agent: addresses, NAT, homes, contacts, sessions.");
        command.SetAction(CommandContext.Action((context, _, cancellationToken) =>
            context.RunOnDaemonAsync(new StatusRequest(), cancellationToken)));
        return command;
    }
}
