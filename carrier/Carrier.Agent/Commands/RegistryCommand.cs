using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Wallet;
using Carrier.Chain.Registry;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier registry</c>: whether a TrustID stands on the chain, and putting one's own there. Works without a running agent.</summary>
internal static class RegistryCommand
{
    public static Command Build() => new Command("registry", "Register this TrustID on the chain, revoke its devices, and look others up.")
    {
        BuildRegister(),
        BuildRevoke(),
        BuildExists(),
        BuildProve(),
        BuildVerify(),
    }.WithChain();

    /// <summary>Checks a proof that <c>registry prove</c> or <c>name prove</c> wrote.</summary>
    internal static Command BuildVerify()
    {
        var proof = new Argument<string>("proof") { Description = "The proof file." };
        var offline = new Option<bool>("--offline") { Description = "Ask nobody: check branches, signatures and each block's own proof of work." };
        var command = new Command("verify", "Check a proof of a TrustID or a name, offline or against the chain.") { proof, offline };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            FileReading reading = DurableFile.TryRead(parsed.GetValue(proof)!, RegistryProofFile.MaxBytes, out byte[] bytes);
            if (reading == FileReading.Missing)
            {
                throw new AgentException(ExitCode.Usage, $"There is no file '{parsed.GetValue(proof)}'.");
            }

            InclusionVerdict verdict = RegistryProofFile.Verify(bytes, out string network, out IReadOnlyList<RegistryProof> proofs);
            if (verdict != InclusionVerdict.Sound)
            {
                throw new AgentException(ExitCode.Refused, $"That proof does not hold: {verdict}.");
            }

            string? assurance = parsed.GetValue(offline) ? null : await AssureAsync(context, parsed, network, proofs, cancel).ConfigureAwait(false);
            SayWhatHolds(context, proofs, assurance);
        }));
        return command;
    }

    internal static RegistrationReply Describe(TrustId id, Registration? registration, uint? scannedTo, string? assurance) => new(
        id.ToString(), registration is not null, registration?.Height, registration?.DelegationRoot.ToString(), registration?.SerialFloor ?? 0, scannedTo, assurance);

    private static Command BuildRegister()
    {
        var command = new Command("register", "Commit to this home's delegation on the chain: from then on this TrustID exists there.") { WalletCommand.Fee };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            (KeystoreContents owner, KeystoreContents device) = context.OpenOwnerAndDevice();
            using (owner)
            using (device)
            {
                var record = new RegistryRecord(RegistryRecordKind.Register, RegistryRecord.DelegationRoot(device.Delegation!.Encoded));
                using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
                TrustId id = registry.Chain.Owner;
                if (registry.Index.Exists(id) is { } known && known.DelegationRoot == record.Hash)
                {
                    context.Presenter.Say(Describe(id, known, registry.Tip, await registry.AssureAsync(known.Height, cancel).ConfigureAwait(false)));
                    return;
                }

                await registry.SendAsync(context, parsed, owner, record, "register", cancel).ConfigureAwait(false);
            }
        }));
        return command;
    }

    private static Command BuildRevoke()
    {
        var floor = new Argument<ulong>("serial") { Description = "Delegations of this TrustID with a smaller serial are dead from then on." };
        var self = new Option<bool>("--this-device-too") { Description = "Go on even if this device's own delegation is among them." };
        var command = new Command("revoke", "Revoke devices on the chain. A floor never falls again.") { floor, self, WalletCommand.Fee };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            ulong serial = parsed.GetValue(floor);
            (KeystoreContents owner, KeystoreContents device) = context.OpenOwnerAndDevice();
            using (owner)
            using (device)
            {
                ulong own = device.Delegation!.Serial;
                if (serial > own && !parsed.GetValue(self))
                {
                    throw new AgentException(ExitCode.Usage, $"That would revoke this device too, whose serial is {own}: give at most that, or --this-device-too.");
                }

                using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
                Registration known = registry.Index.Exists(registry.Chain.Owner)
                    ?? throw new AgentException(ExitCode.Failure, "This TrustID is not registered, so a revocation would say nothing: run carrier registry register first.");
                if (known.SerialFloor >= serial)
                {
                    throw new AgentException(ExitCode.Failure, $"The floor is {known.SerialFloor} already; it never falls.");
                }

                await registry.SendAsync(context, parsed, owner, new RegistryRecord(RegistryRecordKind.Revoke, SerialFloor: serial), "revoke", cancel).ConfigureAwait(false);
            }
        }));
        return command;
    }

    private static Command BuildExists()
    {
        Argument<string> id = IdArgument();
        var command = new Command("exists", "Say whether a TrustID is registered, since which block, and what is revoked. Exit code 4 when it is not.") { id };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            TrustId asked = context.ReadTrustId(parsed.GetValue(id)!);
            using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
            Registration? registration = registry.Index.Exists(asked);
            string? assurance = registration is null ? null : await registry.AssureAsync(registration.Height, cancel).ConfigureAwait(false);
            context.Presenter.Say(Describe(asked, registration, registry.Tip, assurance));
            if (registration is null)
            {
                throw new AgentException(ExitCode.Unreachable, "No block to the tip registers it. Its owner does that with carrier registry register.");
            }
        }));
        return command;
    }

    private static Command BuildProve()
    {
        Argument<string> id = IdArgument();
        var output = new Argument<string>("proof") { Description = "Where the proof is written." };
        var command = new Command("prove", "Write a file that proves a registration, and its revocation, to anybody.") { id, output };
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            TrustId asked = context.ReadTrustId(parsed.GetValue(id)!);
            using RegistrySession registry = await RegistrySession.OpenAsync(context, parsed, cancel).ConfigureAwait(false);
            Registration registration = registry.Index.Exists(asked) ?? throw new AgentException(ExitCode.Unreachable, "No block to the tip registers that TrustID: there is nothing to prove.");
            DurableFile.Write(parsed.GetValue(output)!, RegistryProofFile.Write(registry.Chain.Network.Name, registration.Proofs));
            context.Presenter.Say(Describe(asked, registration, registry.Tip, await registry.AssureAsync(registration.Height, cancel).ConfigureAwait(false)));
        }));
        return command;
    }

    private static Argument<string> IdArgument() => new("id") { Description = "A TrustID or its address." };

    /// <summary>Every block of a proof must be on the chain with the most work; the weakest says what was checked.</summary>
    private static async Task<string> AssureAsync(
        CommandContext context, ParseResult parsed, string network, IReadOnlyList<RegistryProof> proofs, CancellationToken cancellationToken)
    {
        using WalletSession session = WalletSession.Open(context, parsed);
        await session.SyncAsync(context.Presenter, cancellationToken).ConfigureAwait(false);
        if (session.Network.Name != network)
        {
            throw new AgentException(ExitCode.Refused, $"That proof is of the network {SafeText.Of(network)}: give --network.");
        }

        foreach (RegistryProof proof in proofs)
        {
            if (!session.Access.IsOnChain(proof.Height, proof.Proved.Header.Hash))
            {
                throw new AgentException(ExitCode.Refused, $"Block {proof.Height} of that proof is not on the chain of {network} with the most work.");
            }
        }

        return (await session.Access.AssureAsync(proofs[^1].Height, cancellationToken).ConfigureAwait(false)).ToString();
    }

    private static void SayWhatHolds(CommandContext context, IReadOnlyList<RegistryProof> proofs, string? assurance)
    {
        var index = RegistryIndex.Of(proofs);
        bool says = false;
        foreach (TrustId id in proofs.Select(proof => proof.Author).Distinct())
        {
            if (index.Exists(id) is { } registration)
            {
                context.Presenter.Say(Describe(id, registration, null, assurance));
                says = true;
            }
        }

        foreach (string name in proofs.Select(proof => proof.Record.Name).Where(name => name.Length > 0).Distinct())
        {
            if (index.Resolve(name, index.ScannedTo) is { } entry)
            {
                context.Presenter.Say(NameCommand.Describe(entry, null, assurance));
                says = true;
            }
        }

        if (!says)
        {
            throw new AgentException(ExitCode.Refused, "Every record of that proof holds, and together they show neither a registration nor a name.");
        }
    }
}
