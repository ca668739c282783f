using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Wallet;
using Carrier.Chain.Primitives;
using Carrier.Chain.Registry;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier name</c>: human names on the chain. Works without a running agent.</summary>
internal static class NameCommand
{
    private const string Suffix = ".ela";

    public static Command Build() => new Command("name", "Take human names on the chain (commit, then reveal), keep them, and look them up.")
    {
        BuildCommit(),
        BuildReveal(),
        BuildRenew(),
        BuildTransfer(),
        BuildResolve(),
        BuildList(),
        BuildProve(),
        RegistryCommand.BuildVerify(),
    }.WithChain();

    internal static NameReply Describe(NameEntry entry, uint? scannedTo, string? assurance) =>
        new(entry.Name, "Owned", entry.Owner.ToString(), entry.Registered.Height, entry.Expiry, null, scannedTo, assurance);

    private static Command BuildCommit()
    {
        Argument<string> argument = NameArgument();
        var command = new Command("commit", "First step to a name: commit to it without saying which it is.") { argument, WalletCommand.Fee };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            string name = ReadName(parsed.GetValue(argument)!);
            using KeystoreContents owner = context.OpenOwner();
            using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
            using NameSecrets secrets = registry.OpenSecrets();
            if (registry.Index.Resolve(name, registry.Tip + 1) is { } taken)
            {
                throw new AgentException(
                    ExitCode.Refused, $"{name} {(taken.Owner == registry.Chain.Owner ? "is yours" : $"belongs to {taken.Owner}")} until block {taken.Expiry}; the next is {registry.Tip + 1}.");
            }

            ForgetSpentSalt(registry, secrets, name);
            // On disk before anything leaves: without its salt a commitment is worth nothing.
            Hash256 salt = secrets.GetOrMake(registry.Chain.Owner, name, SystemRandomSource.Shared, new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
            Hash256 commitment = RegistryRecord.Commitment(registry.Chain.Owner, salt, name);
            if (registry.Index.CommittedAt(registry.Chain.Owner, commitment) is { } height)
            {
                context.Presenter.Say(Committed(name, height, registry.Tip));
                return;
            }

            await registry.SendAsync(context, parsed, owner, new RegistryRecord(RegistryRecordKind.Commit, commitment), $"commit {name}", cancel).ConfigureAwait(false);
        }));
        return command;
    }

    private static Command BuildReveal()
    {
        Argument<string> argument = NameArgument();
        var command = new Command("reveal", $"Second step, {RegistryIndex.MinCommitDepth} blocks after the commitment or later: take the name.") { argument, WalletCommand.Fee };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            string name = ReadName(parsed.GetValue(argument)!);
            using KeystoreContents owner = context.OpenOwner();
            using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
            using NameSecrets secrets = registry.OpenSecrets();
            TrustId self = registry.Chain.Owner;
            if (registry.Index.Resolve(name, registry.Tip + 1) is { } taken)
            {
                if (taken.Owner != self)
                {
                    throw new AgentException(ExitCode.Refused, $"{name} belongs to {taken.Owner} until block {taken.Expiry}: choose another name.");
                }

                context.Presenter.Say(Describe(taken, registry.Tip, await registry.AssureAsync(taken.Proofs[^1].Height, cancel).ConfigureAwait(false)));
                return;
            }

            if (!secrets.TryGet(self, name, out Hash256 salt))
            {
                throw new AgentException(ExitCode.Usage, $"No commitment to {name} was made in this home: run carrier name commit {name} first.");
            }

            CheckIsRipe(registry, name, RegistryRecord.Commitment(self, salt, name));
            await registry.SendAsync(context, parsed, owner, new RegistryRecord(RegistryRecordKind.Reveal, salt, Name: name), $"reveal {name}", cancel).ConfigureAwait(false);
        }));
        return command;
    }

    private static Command BuildRenew()
    {
        Argument<string> argument = NameArgument();
        var command = new Command("renew", $"Keep a name of yours for {RegistryIndex.PeriodBlocks} blocks (about a year) more.") { argument, WalletCommand.Fee };
        command.SetAction(CommandContext.Action((context, parsed, cancel) =>
            ChangeAsync(context, parsed, ReadName(parsed.GetValue(argument)!), name => new RegistryRecord(RegistryRecordKind.Renew, Name: name), "renew", cancel)));
        return command;
    }

    private static Command BuildTransfer()
    {
        Argument<string> argument = NameArgument();
        var to = new Argument<string>("to") { Description = "The TrustID or address that owns it from then on." };
        var command = new Command("transfer", "Give a name of yours away. It cannot be taken back.") { argument, to, WalletCommand.Fee };
        command.SetAction(CommandContext.Action((context, parsed, cancel) =>
        {
            TrustId next = context.ReadTrustId(parsed.GetValue(to)!);
            return ChangeAsync(
                context, parsed, ReadName(parsed.GetValue(argument)!), name => new RegistryRecord(RegistryRecordKind.Transfer, Name: name, NewOwner: next), "transfer", cancel);
        }));
        return command;
    }

    private static Command BuildResolve()
    {
        Argument<string> argument = NameArgument();
        var command = new Command("resolve", "Say whose name it is, and until when. Exit code 4 when it is free.") { argument };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            string name = ReadName(parsed.GetValue(argument)!);
            using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
            NameEntry entry = Owned(registry, name);
            context.Presenter.Say(Describe(entry, registry.Tip, await registry.AssureAsync(entry.Proofs[^1].Height, cancel).ConfigureAwait(false)));
        }));
        return command;
    }

    private static Command BuildList()
    {
        var command = new Command("list", "List the names of this TrustID, and those on their way.");
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
            using NameSecrets secrets = registry.OpenSecrets();
            TrustId self = registry.Chain.Owner;
            NameEntry[] owned = [.. registry.Index.NamesOf(self, registry.Tip)];
            foreach (NameEntry entry in owned)
            {
                context.Presenter.Say(Describe(entry, registry.Tip, await registry.AssureAsync(entry.Proofs[^1].Height, cancel).ConfigureAwait(false)));
            }

            foreach (string name in secrets.Names(self).Except(owned.Select(entry => entry.Name)))
            {
                _ = secrets.TryGet(self, name, out Hash256 salt);
                context.Presenter.Say(registry.Index.CommittedAt(self, RegistryRecord.Commitment(self, salt, name)) is { } height
                    ? Committed(name, height, registry.Tip)
                    : new NameReply(name, "Secret", null, null, null, null, registry.Tip, null));
            }
        }));
        return command;
    }

    private static Command BuildProve()
    {
        Argument<string> argument = NameArgument();
        var output = new Argument<string>("proof") { Description = "Where the proof is written." };
        var command = new Command("prove", "Write a file that proves to anybody whose name it is.") { argument, output };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            string name = ReadName(parsed.GetValue(argument)!);
            using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
            NameEntry entry = Owned(registry, name);
            if (entry.Proofs.Count > RegistryProofFile.MaxRecords)
            {
                throw new AgentException(ExitCode.Failure, $"{name} was changed {entry.Proofs.Count} times: more than one proof holds.");
            }

            DurableFile.Write(parsed.GetValue(output)!, RegistryProofFile.Write(registry.Chain.Network.Name, entry.Proofs));
            context.Presenter.Say(Describe(entry, registry.Tip, await registry.AssureAsync(entry.Proofs[^1].Height, cancel).ConfigureAwait(false)));
        }));
        return command;
    }

    /// <summary>Puts a change of a name of ours on the chain.</summary>
    private static async Task ChangeAsync(
        CommandContext context, ParseResult parsed, string name, Func<string, RegistryRecord> change, string what, CancellationToken cancellationToken)
    {
        using KeystoreContents owner = context.OpenOwner();
        using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancellationToken).ConfigureAwait(false);
        NameEntry entry = Owned(registry, name);
        if (entry.Owner != registry.Chain.Owner)
        {
            throw new AgentException(ExitCode.Refused, $"{name} belongs to {entry.Owner}: only that owner can {what} it.");
        }

        await registry.SendAsync(context, parsed, owner, change(name), $"{what} {name}", cancellationToken).ConfigureAwait(false);
    }

    private static NameEntry Owned(RegistrySession registry, string name) => registry.Index.Resolve(name, registry.Tip)
        ?? throw new AgentException(ExitCode.Unreachable, $"{name} is free at block {registry.Tip}: carrier name commit {name} is the first step to it.");

    /// <summary>Refuses a reveal that would say the name and take nothing.</summary>
    private static void CheckIsRipe(RegistrySession registry, string name, Hash256 commitment)
    {
        uint next = registry.Tip + 1;
        if (registry.Index.CommittedAt(registry.Chain.Owner, commitment) is not { } height)
        {
            throw new AgentException(ExitCode.Failure, $"The commitment to {name} is not in a block yet: wait for the next, then run this again. If it was never sent, run carrier name commit {name}.");
        }

        if (next < height + RegistryIndex.MinCommitDepth)
        {
            throw new AgentException(ExitCode.Failure, $"Too early: the commitment is in block {height}, so a reveal counts from block {height + RegistryIndex.MinCommitDepth} on, and the next is {next}. Run this again then.");
        }

        if (next > height + RegistryIndex.MaxCommitDepth)
        {
            throw new AgentException(ExitCode.Failure, $"Too late: the commitment in block {height} has run out. Start again with carrier name commit {name}.");
        }
    }

    /// <summary>A salt that was revealed, or whose commitment ran out, must not be used again: everybody could tell what it commits to, or it counts for nothing.</summary>
    private static void ForgetSpentSalt(RegistrySession registry, NameSecrets secrets, string name)
    {
        TrustId self = registry.Chain.Owner;
        if (!secrets.TryGet(self, name, out Hash256 salt))
        {
            return;
        }

        bool wasRevealed = registry.Chain.Wallet.FindSent(new RegistryRecord(RegistryRecordKind.Reveal, salt, Name: name).ToPayload()) is { IsPending: false };
        bool ranOut = registry.Index.CommittedAt(self, RegistryRecord.Commitment(self, salt, name)) is { } height && registry.Tip + 1 > height + RegistryIndex.MaxCommitDepth;
        if (wasRevealed || ranOut)
        {
            secrets.Remove(self, name);
        }
    }

    private static NameReply Committed(string name, uint height, uint tip) =>
        new(name, "Committed", null, null, null, height + RegistryIndex.MinCommitDepth, tip, null);

    private static Argument<string> NameArgument() => new("name") { Description = "3 to 63 letters a-z, digits and inner hyphens; .ela after it may be left out." };

    private static string ReadName(string text)
    {
        string name = text.EndsWith(Suffix, StringComparison.Ordinal) ? text[..^Suffix.Length] : text;
        return RegistryName.IsValid(name)
            ? name
            : throw new AgentException(ExitCode.Usage, "That is no name: give 3 to 63 letters a-z, digits and inner hyphens, such as alice.");
    }
}
