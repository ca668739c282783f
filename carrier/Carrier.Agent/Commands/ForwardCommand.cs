using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier forward</c>: a local port that leads to a peer's service.</summary>
internal static class ForwardCommand
{
    private static readonly Argument<int> Port = new("local-port") { Description = "The port to open here; 0 for a free one." };

    private static readonly Argument<string> Service = new("service") { Description = "A TrustID and the name it publishes the service by.", HelpName = "id/name" };

    private static readonly Option<bool> Udp = new("--udp") { Description = "A UDP port; the service must be one too." };

    public static Command Build()
    {
        var command = new Command(
            "forward", "Open a local port that leads to a peer's service, for as long as this command runs or, with --keep, until it is stopped.")
        {
            Port, Service, Udp, TunnelOptions.Bind, TunnelOptions.Keep,
        };
        command.SetAction(CommandContext.Action(RunAsync));
        return command;
    }

    private static Task RunAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        string[] parts = parsed.GetRequiredValue(Service).Split('/');
        if (parts.Length != 2)
        {
            throw new AgentException(ExitCode.Usage, "Give the service as TRUSTID/NAME: carrier forward 8080 0x…/http");
        }

        var definition = new ForwardDefinition(
            parsed.GetRequiredValue(TunnelOptions.Bind),
            TunnelOptions.ReadPort(parsed.GetRequiredValue(Port)),
            context.ReadTrustId(parts[0]).ToString(),
            TunnelOptions.ReadService(parts[1]).Text,
            parsed.GetValue(Udp));
        return context.RunOnDaemonAsync(new ForwardRequest(definition, parsed.GetValue(TunnelOptions.Keep)), cancellationToken);
    }
}
