using System.CommandLine;
using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier resolve</c>: what is announced at a TrustID.</summary>
internal static class ResolveCommand
{
    private static readonly Argument<string> Peer = new("id") { Description = "A TrustID, or an ELA address." };

    public static Command Build()
    {
        var command = new Command("resolve", "Show the devices announced at a TrustID.") { Peer };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
            context.RunAsync(new ResolveRequest(context.ReadTrustId(parsed.GetRequiredValue(Peer)).ToString()), cancellationToken)));
        return command;
    }
}
