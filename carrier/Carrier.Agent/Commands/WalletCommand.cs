using System.CommandLine;
using System.Security.Cryptography;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Wallet;
using Carrier.Chain.Access;
using Carrier.Chain.Primitives;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier wallet</c>: this identity's ELA. Works without a running agent.</summary>
internal static class WalletCommand
{
    internal static readonly Option<string> Fee = new("--fee")
    {
        Description = "What the transaction costs, in ELA; at least 0.000001.",
        HelpName = "ELA",
        DefaultValueFactory = _ => CoinSelection.DefaultFee.ToString(),
    };

    private static readonly Option<string> Note = new("--note") { Description = "Kept in this wallet's history and nowhere else.", DefaultValueFactory = _ => "" };

    public static Command Build() => new Command("wallet", "Hold, pay and receive ELA, and anchor hashes on the chain.")
    {
        BuildAddress(),
        BuildSync(),
        BuildBalance(),
        BuildSend(),
        BuildHistory(),
        BuildRecord(),
    }.WithChain();

    private static Command BuildAddress()
    {
        var command = new Command("address", "Show where this wallet is paid.");
        command.SetAction(CommandContext.Action((context, _, _) =>
        {
            TrustId id = context.Identity.ReadTrustId();
            context.Presenter.Say(new IdentityReply(id.ToString(), id.ToAddress(), context.Home.FullPath));
            return Task.CompletedTask;
        }));
        return command;
    }

    private static Command BuildSync()
    {
        var command = new Command("sync", "Follow the chain, judge its headers, and hand in again what waits.");
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            using WalletSession session = WalletSession.Open(context, parsed);
            await session.SyncAsync(context.Presenter, cancel).ConfigureAwait(false);
        }));
        return command;
    }

    private static Command BuildBalance()
    {
        var command = new Command("balance", "Show what this wallet has: confirmed, pending, locked, disputed.");
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            using WalletSession session = WalletSession.Open(context, parsed);
            await session.SyncAsync(context.Presenter, cancel).ConfigureAwait(false);
            Balance balance = await session.Wallet.BalanceAsync(cancel).ConfigureAwait(false);
            foreach (NodeStatement alarm in balance.Alarms)
            {
                context.Presenter.Warn($"{alarm.Node} {SafeText.Of(alarm.Text)} ({alarm.Fault})");
            }

            context.Presenter.Say(new BalanceReply(
                balance.Confirmed.ToString(), balance.Pending.ToString(), balance.Locked.ToString(), balance.Disputed.ToString(), balance.NodesAnswered));
        }));
        return command;
    }

    private static Command BuildSend()
    {
        var to = new Argument<string>("to") { Description = "A TrustID or an address." };
        var amount = new Argument<string>("amount") { Description = "How much, in ELA: 1.5" };
        var command = new Command("send", "Pay ELA to a TrustID or an address.") { to, amount, Fee, Note };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            ProgramHash recipient = ReadRecipient(context, parsed.GetValue(to)!);
            Sela value = ReadAmount(parsed.GetValue(amount)!);
            Sela fee = ReadAmount(parsed.GetValue(Fee)!);
            using KeystoreContents owner = context.OpenOwner();
            using WalletSession session = WalletSession.Open(context, parsed);
            await session.SyncAsync(context.Presenter, cancel).ConfigureAwait(false);
            Sending sending = await session.Wallet.SendAsync(owner.Owner!, recipient, value, fee, parsed.GetValue(Note)!, cancel).ConfigureAwait(false);
            Say(context, sending, value, recipient.ToString());
        }));
        return command;
    }

    private static Command BuildHistory()
    {
        var command = new Command("history", "List what was sent and received, as proved.");
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            using WalletSession session = WalletSession.Open(context, parsed);
            await session.SyncAsync(context.Presenter, cancel).ConfigureAwait(false);
            _ = await session.Wallet.BalanceAsync(cancel).ConfigureAwait(false);
            foreach (HistoryEntry entry in session.Wallet.History())
            {
                context.Presenter.Say(new HistoryReply(
                    entry.TransactionId.ToString(), entry.Kind.ToString(), entry.State.ToString(), entry.Amount.ToString(), entry.Fee.ToString(),
                    entry.Recipient, entry.Note, entry.Height, entry.Confirmations));
            }
        }));
        return command;
    }

    private static Command BuildRecord()
    {
        var file = new Argument<string?>("file") { Description = "The file whose SHA-256 is anchored.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("record", "Anchor a file's SHA-256 on the chain; prove and verify it later.") { file, Fee, Note, BuildProve(), BuildVerify() };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            string path = parsed.GetValue(file) ?? throw new AgentException(ExitCode.Usage, "Give the file whose hash is to be anchored.");
            byte[] hash = await HashAsync(path, cancel).ConfigureAwait(false);
            using KeystoreContents owner = context.OpenOwner();
            using WalletSession session = WalletSession.Open(context, parsed);
            await session.SyncAsync(context.Presenter, cancel).ConfigureAwait(false);
            Sending sending = await session.Wallet
                .RecordAsync(owner.Owner!, AnchorRecord.Of(hash), ReadAmount(parsed.GetValue(Fee)!), parsed.GetValue(Note)!, cancel).ConfigureAwait(false);
            Say(context, sending, Sela.Zero, "");
        }));
        return command;
    }

    private static Command BuildProve()
    {
        var id = new Argument<string>("txid") { Description = "The transaction that anchored it." };
        var output = new Argument<string>("proof") { Description = "Where the proof is written." };
        var command = new Command("prove", "Write a file that proves a transaction's place on the chain to anybody.") { id, output };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            Hash256 transaction = Hash256.TryParse(parsed.GetValue(id)!, out Hash256 hash) ? hash : throw new AgentException(ExitCode.Usage, "A transaction id has 64 hex digits.");
            using WalletSession session = WalletSession.Open(context, parsed);
            await session.SyncAsync(context.Presenter, cancel).ConfigureAwait(false);
            Inclusion inclusion = await session.Access.FindAsync(transaction, cancel).ConfigureAwait(false);
            ProvedTransaction proved = inclusion.Proved ?? throw new AgentException(
                ExitCode.Failure, inclusion.Waiting is null ? "Nobody asked knows that transaction. Peers find only what concerns this wallet; a node (--node) finds any." : "That transaction is not in a block yet: try again in some minutes.");
            DurableFile.Write(parsed.GetValue(output)!, InclusionProof.Write(session.Network.Name, proved));
            context.Presenter.Say(new ProofReply(transaction.ToString(), proved.Header.Height, proved.Header.Hash.ToString(), "OnChain", null, await AssureAsync(session, proved, cancel).ConfigureAwait(false)));
        }));
        return command;
    }

    private static Command BuildVerify()
    {
        var proof = new Argument<string>("proof") { Description = "The proof file." };
        var file = new Argument<string?>("file") { Description = "The file that was anchored; its hash is compared.", Arity = ArgumentArity.ZeroOrOne };
        var offline = new Option<bool>("--offline") { Description = "Ask nobody: check the branch and the block's own proof of work." };
        var command = new Command("verify", "Check a proof, offline or against the chain.") { proof, file, offline };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            FileReading reading = DurableFile.TryRead(parsed.GetValue(proof)!, InclusionProof.MaxBytes, out byte[] bytes);
            InclusionVerdict verdict = reading == FileReading.Read ? InclusionProof.Verify(bytes, out string network, out ProvedTransaction? proved) : Missing(out network, out proved);
            if (verdict != InclusionVerdict.Sound)
            {
                throw new AgentException(ExitCode.Refused, $"That proof does not hold: {verdict}.");
            }

            bool? matches = parsed.GetValue(file) is { } path ? AnchorRecord.Matches(proved!.Transaction, await HashAsync(path, cancel).ConfigureAwait(false)) : null;
            string standing = "ProofOfWorkOnly";
            string? assurance = null;
            if (!parsed.GetValue(offline))
            {
                using WalletSession session = WalletSession.Open(context, parsed);
                await session.SyncAsync(context.Presenter, cancel).ConfigureAwait(false);
                standing = session.Network.Name == network && session.Access.IsOnChain(proved!.Header.Height, proved.Header.Hash) ? "OnChain"
                    : throw new AgentException(ExitCode.Refused, $"The block of that proof is not on the chain of {session.Network.Name} with the most work.");
                assurance = await AssureAsync(session, proved, cancel).ConfigureAwait(false);
            }

            if (matches == false)
            {
                throw new AgentException(ExitCode.Refused, "The proof holds, but it anchors another file.");
            }

            context.Presenter.Say(new ProofReply(proved!.Transaction.Id.ToString(), proved.Header.Height, proved.Header.Hash.ToString(), standing, matches, assurance));
        }));
        return command;

        static InclusionVerdict Missing(out string network, out ProvedTransaction? proved)
        {
            network = "";
            proved = null;
            return InclusionVerdict.Malformed;
        }
    }

    internal static void Say(CommandContext context, Sending sending, Sela amount, string to)
    {
        context.Presenter.Say(sending.Result switch
        {
            SendingResult.Sent or SendingResult.Waiting => new PaymentReply(
                sending.Transaction!.Id.ToString(), amount.ToString(), to, sending.Result.ToString(), sending.Nodes.Count(node => node.Outcome.IsTaken())),
            SendingResult.NotEnough => throw new AgentException(ExitCode.Failure, "The coins that can be spent now are not enough; carrier wallet balance shows them."),
            SendingResult.FeeTooLow => throw new AgentException(ExitCode.Usage, $"Nodes take no fee below {CoinSelection.MinFee} ELA."),
            SendingResult.BadRecipient => throw new AgentException(ExitCode.Usage, "Only E… and 8… addresses can be paid, and more than nothing."),
            _ => throw new AgentException(ExitCode.Refused, "Every node refused it: " + SafeText.Of(sending.Nodes.Count > 0 ? sending.Nodes[0].Detail : "")),
        });
    }

    private static async Task<string> AssureAsync(WalletSession session, ProvedTransaction proved, CancellationToken cancellationToken) =>
        (await session.Access.AssureAsync(proved.Header.Height, cancellationToken).ConfigureAwait(false)).ToString();

    private static ProgramHash ReadRecipient(CommandContext context, string text) =>
        ProgramHash.TryParse(text, out ProgramHash hash) ? hash : ProgramHash.FromTrustId(context.ReadTrustId(text));

    internal static Sela ReadAmount(string text) => Sela.TryParse(text, out Sela amount)
        ? amount
        : throw new AgentException(ExitCode.Usage, "An amount is decimal ELA with at most eight digits after the point, such as 1.5.");

    private static async Task<byte[]> HashAsync(string path, CancellationToken cancellationToken)
    {
        FileStream stream = File.OpenRead(path);
        await using (stream.ConfigureAwait(false))
        {
            return await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false);
        }
    }
}
