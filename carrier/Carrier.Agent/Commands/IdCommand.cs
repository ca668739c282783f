using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Core.Identity;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier id</c>: who this home is.</summary>
internal static class IdCommand
{
    public static Command Build()
    {
        var command = new Command("id", "Show this home's TrustID and ELA address.");
        command.SetAction(CommandContext.Action((context, _, _) =>
        {
            TrustId id = context.Identity.ReadTrustId();
            context.Presenter.Say(new IdentityReply(id.ToString(), id.ToAddress(), context.Home.FullPath));
            return Task.CompletedTask;
        }));
        return command;
    }
}
