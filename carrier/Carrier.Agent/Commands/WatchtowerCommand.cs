using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Wallet;
using Carrier.Chain.Access;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Storage;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier channel watchtower</c> and <c>carrier channel broadcast</c>: a payee's close in the hands of somebody without its keys.</summary>
internal static class WatchtowerCommand
{
    private const int MaxFileBytes = 1_024;

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);

    public static Command BuildWatchtower()
    {
        var channel = new Argument<string>("channel") { Description = "A channel's id, the beginning of it, or the payer's TrustID." };
        var file = new Argument<string>("file") { Description = "Where it is written." };
        var export = new Command("export", "Write the latest close of a channel to a file that anybody can broadcast and nobody can change. It holds no secret.") { channel, file };
        export.SetAction(CommandContext.Action(async (context, parsed, cancellationToken) =>
        {
            var written = new ExportWriter(context.Presenter, Path.GetFullPath(parsed.GetRequiredValue(file)));
            await context.RunOnDaemonAsync(new ExportCloseRequest(parsed.GetRequiredValue(channel)), written, cancellationToken).ConfigureAwait(false);
        }));
        return new Command("watchtower", "Have a close broadcast by somebody else while you are away.") { export };
    }

    public static Command BuildBroadcast()
    {
        var file = new Argument<string>("file") { Description = "What carrier channel watchtower export wrote." };
        var wait = new Option<bool>("--wait") { Description = "Wait until the height from which it should be broadcast, instead of doing it now." };
        var command = new Command("broadcast", "Hand an exported close to the chain's nodes. Needs no keys, no identity and no agent.")
        {
            file, wait, WalletOptions.Node, WalletOptions.Network, WalletOptions.Foundation,
        };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
            BroadcastAsync(context, Read(parsed.GetRequiredValue(file)), parsed.GetValue(wait), WalletOptions.Read(parsed).ToNodes(), cancellationToken)));
        return command;
    }

    private static CloseEscrow Read(string path)
    {
        FileReading reading = DurableFile.TryRead(path, MaxFileBytes, out byte[] bytes);
        return reading == FileReading.Read && CloseEscrow.TryRead(bytes, out CloseEscrow? escrow)
            ? escrow
            : throw new AgentException(ExitCode.Usage, reading == FileReading.Missing ? $"There is no '{path}'." : $"'{path}' is no exported close.");
    }

    private static async Task BroadcastAsync(CommandContext context, CloseEscrow escrow, bool waits, IReadOnlyList<RpcNode> nodes, CancellationToken cancellationToken)
    {
        while (waits && await HeightAsync(nodes, cancellationToken).ConfigureAwait(false) < escrow.CloseBy)
        {
            await Task.Delay(LookEvery, cancellationToken).ConfigureAwait(false);
        }

        _ = Transaction.TryParse(escrow.Transaction.Span, out Transaction? close);
        List<SendOutcome> outcomes = [];
        string words = "";
        foreach (RpcNode node in nodes)
        {
            NodeAnswer<Hash256> answer = await node.SendAsync(close!, cancellationToken).ConfigureAwait(false);
            outcomes.Add(SendOutcomes.Of(answer));
            words = answer.Detail;
            node.Dispose();
        }

        if (!outcomes.Any(outcome => outcome.IsTaken()))
        {
            throw outcomes.Contains(SendOutcome.DoubleSpend) || outcomes.Contains(SendOutcome.PoolConflict)
                ? new AgentException(ExitCode.Refused, "The channel's deposit is being spent already, by another close or by the payer's refund.")
                : outcomes.All(outcome => outcome == SendOutcome.Unknown)
                    ? new AgentException(ExitCode.Unreachable, "No node answered: check --node and --network, and try again.")
                    : new AgentException(ExitCode.Refused, "Every node refused it: " + SafeText.Of(words));
        }

        context.Presenter.Say(new PaymentReply(
            close!.Id.ToString(), escrow.Cumulative.ToString(), close.Outputs[0].Owner.ToString(), "Sent", outcomes.Count(outcome => outcome.IsTaken())));
    }

    /// <summary>The greatest height any node tells: too early costs nothing here, too late does.</summary>
    private static async Task<uint> HeightAsync(IReadOnlyList<RpcNode> nodes, CancellationToken cancellationToken)
    {
        uint height = 0;
        foreach (RpcNode node in nodes)
        {
            NodeAnswer<uint> answer = await node.HeightAsync(cancellationToken).ConfigureAwait(false);
            height = answer.IsGood ? Math.Max(height, answer.Value) : height;
        }

        return height;
    }

    /// <summary>Puts the export into its file and passes on what is said.</summary>
    private sealed class ExportWriter(IPresenter inner, string path) : IConversation
    {
        public Stream Input => Stream.Null;

        public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken)
        {
            if (reply is ExportReply export)
            {
                DurableFile.Write(path, Convert.FromHexString(export.Export));
            }

            return inner.SayAsync(reply, cancellationToken);
        }

        public ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken) => ValueTask.FromResult(false);
    }
}
