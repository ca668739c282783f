using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Chain.Primitives;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier channel accept</c>: whose channels are taken, and on which terms. A running agent follows at once; channels that are open keep their closing margin until it restarts.</summary>
internal static class ChannelAcceptCommand
{
    private static readonly Option<string[]> From = new("--from")
    {
        Description = "Who may open channels to you: TrustIDs, commas between them, or 'any'. Replaces those of before.",
        HelpName = "TRUSTID,…|any",
    };

    private static readonly Option<bool> Nobody = new("--nobody") { Description = "Take no new channels. Those that are open go on." };

    private static readonly Option<string?> MinDeposit = new("--min-deposit") { Description = "The least deposit. Default: 0.001.", HelpName = "ELA" };

    private static readonly Option<string?> Window = new("--window")
    {
        Description = "How much may be delivered before it is paid: the most you can lose. Default: 0.",
        HelpName = "ELA",
    };

    private static readonly Option<uint?> Confirmations = new("--confirmations")
    {
        Description = "Confirmations of the deposit, through two nodes, before payments count. Default: 6.",
        HelpName = "N",
    };

    private static readonly Option<bool?> AlwaysOn = new("--always-on")
    {
        Description = "This agent is up day and night: channels are closed 30 blocks before their lock height, not 720.",
        HelpName = "true|false",
    };

    private static readonly Option<string?> CloseAt = new("--close-at") { Description = "Close a channel once this much was paid; 0 for never. Default: never.", HelpName = "ELA" };

    public static Command Build()
    {
        var command = new Command("accept", "Set who may open channels to you, and on which terms; with no option, show it.")
        {
            From, Nobody, MinDeposit, Window, Confirmations, AlwaysOn, CloseAt,
        };
        command.SetAction(CommandContext.Action(Run));
        return command;
    }

    private static Task Run(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        ChannelSettings settings = ChannelSettings.Load(context.Home);
        ChannelAcceptance terms = Change(context, parsed, settings.Accept ?? new ChannelAcceptance());
        if (terms != (settings.Accept ?? new ChannelAcceptance()))
        {
            context.Home.Ensure();
            (settings with { Accept = terms }).Save(context.Home);
        }

        context.Presenter.Say(new AcceptanceReply(terms.From, terms.MinDeposit, terms.Window, terms.Confirmations, terms.AlwaysOn, terms.CloseAt));
        if (terms.From.Count > 0 && settings.Chain is null)
        {
            context.Presenter.Warn("channels are off in this home until its agent is started with a chain: carrier up --network main --node URL --node URL");
        }

        return Task.CompletedTask;
    }

    private static ChannelAcceptance Change(CommandContext context, ParseResult parsed, ChannelAcceptance terms)
    {
        string[] from = [.. (parsed.GetValue(From) ?? []).SelectMany(each => each.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .Select(each => each == ChannelAcceptance.Anybody ? each : context.ReadTrustId(each).ToString()).Distinct()];
        uint confirmations = parsed.GetValue(Confirmations) ?? terms.Confirmations;
        if (confirmations == 0)
        {
            throw new AgentException(ExitCode.Usage, "--confirmations is at least 1: a deposit that is in no block can still be taken away.");
        }

        return terms with
        {
            From = parsed.GetValue(Nobody) ? [] : from.Length > 0 ? from : terms.From,
            MinDeposit = Amount(parsed.GetValue(MinDeposit)) ?? terms.MinDeposit,
            Window = Amount(parsed.GetValue(Window)) ?? terms.Window,
            Confirmations = confirmations,
            AlwaysOn = parsed.GetValue(AlwaysOn) ?? terms.AlwaysOn,
            CloseAt = Amount(parsed.GetValue(CloseAt)) is { } closeAt ? (closeAt == Sela.Zero.ToString() ? null : closeAt) : terms.CloseAt,
        };
    }

    private static string? Amount(string? text) => text is null ? null : Sela.TryParse(text, out Sela amount)
        ? amount.ToString()
        : throw new AgentException(ExitCode.Usage, "An amount is decimal ELA with at most eight digits after the point, such as 1.5.");
}
