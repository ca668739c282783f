using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier send</c>: a file, a folder, or standard input.</summary>
internal static class SendCommand
{
    private static readonly Argument<string> What = new("path") { Description = "A file, a folder, or - for standard input.", HelpName = "file|folder|-" };

    private static readonly Argument<string> Peer = new("id") { Description = "A TrustID, or an ELA address." };

    private static readonly Option<string?> Name = new("--name") { Description = "What the receiver calls standard input. Default: stdin." };

    public static Command Build()
    {
        var command = new Command("send", "Send a file or folder to a peer. Interrupted, the same command goes on where it was.") { What, Peer, Name };
        command.SetAction(CommandContext.Action(RunAsync));
        return command;
    }

    private static Task RunAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        string what = parsed.GetRequiredValue(What);
        string? path = what == "-" ? null : Path.GetFullPath(what);
        if (path is not null && !Path.Exists(path))
        {
            throw new AgentException(ExitCode.Usage, $"There is no file or folder '{what}'.");
        }

        if (path is not null && parsed.GetValue(Name) is not null)
        {
            throw new AgentException(ExitCode.Usage, "--name is for standard input; a file keeps its own name.");
        }

        var request = new SendRequest(context.ReadTrustId(parsed.GetRequiredValue(Peer)).ToString(), path, parsed.GetValue(Name));
        return context.Presenter.WithProgressAsync(() => context.RunAsync(request, cancellationToken));
    }
}
