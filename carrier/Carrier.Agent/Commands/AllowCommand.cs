using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Core.Identity;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier allow</c> and <c>carrier deny</c>: whose files are accepted without asking. A running agent follows at once.</summary>
/// <remarks>Without a TrustID both list who is allowed.</remarks>
internal static class AllowCommand
{
    private static readonly Argument<string?> Peer = new("id")
    {
        Description = "A TrustID, or an ELA address. Without one, the list is shown.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command BuildAllow() => Build(
        "allow", "Accept files of a TrustID without asking.", "is allowed to send files", (config, peer) => config.WithAllowed(peer));

    public static Command BuildDeny() => Build(
        "deny", "Take a TrustID off the allow list.", "is not on the allow list", (config, peer) => config.WithoutAllowed(peer));

    private static Command Build(string name, string description, string done, Func<AgentConfig, TrustId, AgentConfig> change)
    {
        var command = new Command(name, description) { Peer };
        command.SetAction(CommandContext.Action((context, parsed, _) =>
        {
            if (parsed.GetValue(Peer) is not { } text)
            {
                Show(context);
                return Task.CompletedTask;
            }

            TrustId peer = context.ReadTrustId(text);
            context.Home.Ensure();
            change(AgentConfig.Load(context.Home), peer).Save(context.Home);
            context.Presenter.Say(new NoteReply($"{peer} {done}"));
            return Task.CompletedTask;
        }));
        return command;
    }

    private static void Show(CommandContext context)
    {
        IReadOnlyList<string> allowed = AgentConfig.Load(context.Home).Allow;
        foreach (string line in allowed.Count > 0 ? allowed : ["Nobody is allowed to send files without being asked about."])
        {
            context.Presenter.Say(new NoteReply(line));
        }
    }
}
