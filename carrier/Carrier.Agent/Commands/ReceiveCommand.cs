using System.CommandLine;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier receive</c>: watches what arrives, and asks about strangers at a terminal.</summary>
internal static class ReceiveCommand
{
    private static readonly Option<bool> Once = new("--once") { Description = "End after one transfer has arrived." };

    public static Command Build()
    {
        var command = new Command("receive", "Receive files; at a terminal you are asked about senders who are not on the allow list.")
        {
            ReceiveOptions.Allow, ReceiveOptions.Folder, Once,
        };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) => context.RunAsync(
            ReceiveOptions.Read(context, parsed, parsed.GetValue(Once), context.Presenter.CanAsk), cancellationToken)));
        return command;
    }
}
