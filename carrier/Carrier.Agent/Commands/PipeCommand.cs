using System.CommandLine;
using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier pipe</c>: standard input and output as one connection to a peer's service.</summary>
internal static class PipeCommand
{
    private static readonly Argument<string> Peer = new("id") { Description = "A TrustID, or an ELA address." };

    private static readonly Argument<string> Service = new("name") { Description = "The name the peer publishes the service by." };

    public static Command Build()
    {
        var command = new Command("pipe", "Connect standard input and output to a peer's service: ssh -o ProxyCommand='carrier pipe %h ssh' user@TRUSTID")
        {
            Peer, Service,
        };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
        {
            var request = new PipeRequest(
                context.ReadTrustId(parsed.GetRequiredValue(Peer)).ToString(), TunnelOptions.ReadService(parsed.GetRequiredValue(Service)).Text);
            return context.PipeOnDaemonAsync(request, cancellationToken);
        }));
        return command;
    }
}
