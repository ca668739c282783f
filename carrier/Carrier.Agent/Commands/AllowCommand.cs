using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Core.Identity;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier allow</c> and <c>carrier deny</c>: whose files are accepted without asking. A running agent follows at once.</summary>
internal static class AllowCommand
{
    private static readonly Argument<string> Peer = new("id") { Description = "A TrustID, or an ELA address." };

    public static Command BuildAllow() => Build(
        "allow", "Accept files of a TrustID without asking.", "is allowed to send files", (config, peer) => config.WithAllowed(peer));

    public static Command BuildDeny() => Build(
        "deny", "Take a TrustID off the allow list.", "is not on the allow list", (config, peer) => config.WithoutAllowed(peer));

    private static Command Build(string name, string description, string done, Func<AgentConfig, TrustId, AgentConfig> change)
    {
        var command = new Command(name, description) { Peer };
        command.SetAction(CommandContext.Action((context, parsed, _) =>
        {
            TrustId peer = context.ReadTrustId(parsed.GetRequiredValue(Peer));
            context.Home.Ensure();
            change(AgentConfig.Load(context.Home), peer).Save(context.Home);
            context.Presenter.Say(new NoteReply($"{peer} {done}"));
            return Task.CompletedTask;
        }));
        return command;
    }
}
