using System.CommandLine;
using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier services</c>: what is served and forwarded, and an end to it.</summary>
internal static class ServicesCommand
{
    private static readonly Argument<string> Id = new("id") { Description = "As the list has it: a service's name, forward:PORT, forward:PORT/udp or socks:PORT." };

    public static Command Build()
    {
        var stop = new Command("stop", "Stop a service, forward or SOCKS port, kept or not; its connections end.") { Id };
        stop.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
            context.RunOnDaemonAsync(new StopServiceRequest(parsed.GetRequiredValue(Id)), cancellationToken)));
        var command = new Command("services", "List the services, forwards and SOCKS ports of the running agent.") { stop };
        command.SetAction(CommandContext.Action((context, _, cancellationToken) => context.RunOnDaemonAsync(new ServicesRequest(), cancellationToken)));
        return command;
    }
}
