using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Chain.Channels;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier channel</c>: payment channels of the running agent.</summary>
internal static class ChannelCommand
{
    /// <summary>Thirty days at a block every two minutes.</summary>
    private const uint DefaultBlocks = 21_600;

    /// <summary>Payments of one command.</summary>
    private const int MaxCount = 10_000_000;

    private static readonly Argument<string> Channel = new("channel") { Description = "A channel's id, the beginning of it, or the TrustID at its other end." };

    private static readonly Option<uint> CloseConfirmations = new("--confirmations")
    {
        Description = "Blocks to wait for, from the one that holds the transaction; 0 to wait for none.",
        HelpName = "N",
        DefaultValueFactory = _ => 1,
    };

    public static Command Build() => new("channel", "Pay a peer through a payment channel: two transactions on the chain, any number of payments between them.")
    {
        BuildOpen(),
        BuildList(),
        BuildShow(),
        BuildPay(),
        BuildClose(),
        BuildRefund(),
        ChannelAcceptCommand.Build(),
        WatchtowerCommand.BuildWatchtower(),
        WatchtowerCommand.BuildBroadcast(),
    };

    private static Command BuildOpen()
    {
        var id = new Argument<string>("id") { Description = "Who is paid: a TrustID or an address. Its agent must be running with channels on." };
        var amount = new Argument<string>("amount") { Description = "The deposit, in ELA: what can be paid in all, and the fee of the close." };
        var window = new Option<string?>("--window")
        {
            Description = "The most that is paid before the payee has acknowledged it. Default: no limit below the deposit.",
            HelpName = "ELA",
        };
        var blocks = new Option<uint>("--blocks")
        {
            Description = "Blocks until you can take back what was not paid, if the payee is gone. A block takes two minutes.",
            HelpName = "N",
            DefaultValueFactory = _ => DefaultBlocks,
        };
        var lockHeight = new Option<uint?>("--lock-height") { Description = "That height itself, instead of --blocks.", HelpName = "HEIGHT" };
        var fee = new Option<string?>("--fee") { Description = "What each of the channel's own transactions costs. Default: 0.0001.", HelpName = "ELA" };
        var confirmations = new Option<uint>("--confirmations")
        {
            Description = "Confirmations of the deposit to wait for; 0 to wait for none.",
            HelpName = "N",
            DefaultValueFactory = _ => ChannelLimits.FinalConfirmations,
        };
        var command = new Command("open", "Open a channel to somebody, with a deposit out of the wallet.") { id, amount, window, blocks, lockHeight, fee, confirmations };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) => context.RunOnDaemonAsync(
            new OpenChannelRequest(
                context.ReadTrustId(parsed.GetRequiredValue(id)).ToString(),
                parsed.GetRequiredValue(amount),
                parsed.GetValue(window),
                parsed.GetValue(blocks),
                parsed.GetValue(lockHeight),
                parsed.GetValue(fee),
                parsed.GetValue(confirmations)),
            cancellationToken)));
        return command;
    }

    private static Command BuildList()
    {
        var command = new Command("list", "List the channels of this home.");
        command.SetAction(CommandContext.Action((context, _, cancellationToken) => context.RunOnDaemonAsync(new ChannelsRequest(null), cancellationToken)));
        return command;
    }

    private static Command BuildShow()
    {
        var command = new Command("show", "Show one channel, over or not.") { Channel };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
            context.RunOnDaemonAsync(new ChannelsRequest(parsed.GetRequiredValue(Channel)), cancellationToken)));
        return command;
    }

    private static Command BuildPay()
    {
        var amount = new Argument<string>("amount") { Description = "How much, in ELA: 0.0001" };
        var count = new Option<int>("--count") { Description = "How many times.", HelpName = "N", DefaultValueFactory = _ => 1 };
        count.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > MaxCount)
            {
                result.AddError($"--count is a number from 1 to {MaxCount}.");
            }
        });
        var command = new Command("pay", "Pay through a channel; done when the payee has it on disk.") { Channel, amount, count };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) => context.RunOnDaemonAsync(
            new PayRequest(parsed.GetRequiredValue(Channel), parsed.GetRequiredValue(amount), parsed.GetValue(count)), cancellationToken)));
        return command;
    }

    private static Command BuildClose()
    {
        var command = new Command(
            "close", "End a channel with what was paid. The payer asks the payee to sign with it; the payee needs nobody.") { Channel, CloseConfirmations };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
            context.RunOnDaemonAsync(new CloseChannelRequest(parsed.GetRequiredValue(Channel), parsed.GetValue(CloseConfirmations)), cancellationToken)));
        return command;
    }

    private static Command BuildRefund()
    {
        var command = new Command(
            "refund", "Take a deposit back after the lock height, when the payee is gone. The agent does it by itself; this hurries it and waits.") { Channel, CloseConfirmations };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
            context.RunOnDaemonAsync(new RefundRequest(parsed.GetRequiredValue(Channel), parsed.GetValue(CloseConfirmations)), cancellationToken)));
        return command;
    }
}
