using System.CommandLine;
using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier ping</c>: round trips to a peer, and the path they take.</summary>
internal static class PingCommand
{
    private static readonly Argument<string> Peer = new("id") { Description = "A TrustID, or an ELA address." };

    private static readonly Option<int> Count = new("--count", "-c")
    {
        Description = "How many pings; 0 until stopped.",
        HelpName = "N",
        DefaultValueFactory = _ => 4,
    };

    static PingCommand() => Count.Validators.Add(result =>
    {
        if (result.Tokens.Count > 0 && (!int.TryParse(result.Tokens[0].Value, out int count) || count < 0))
        {
            result.AddError("--count is a number, 0 or more.");
        }
    });

    public static Command Build()
    {
        var command = new Command("ping", "Dial a peer and measure round trips: path (direct or relay), address, time.") { Peer, Count };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) => context.RunAsync(
            new PingRequest(context.ReadTrustId(parsed.GetRequiredValue(Peer)).ToString(), parsed.GetValue(Count)), cancellationToken)));
        return command;
    }
}
