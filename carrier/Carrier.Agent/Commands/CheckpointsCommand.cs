using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Wallet;
using Carrier.Chain.Headers;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier checkpoints</c>: for the maintainers, who sign the files this program ships (docs/operating.md). Hidden: nobody else has a use for it.</summary>
internal static class CheckpointsCommand
{
    /// <summary>Blocks a checkpoint lies below the tip, at least: no reorganisation that is followed reaches it.</summary>
    private const uint MinDepth = HeaderChain.MaxReorganisation;

    public static Command Build() => new("checkpoints", "Sign and check checkpoint files.")
    {
        Hidden = true,
        Subcommands = { BuildSign(), BuildCheck() },
    };

    private static Command BuildSign()
    {
        var file = new Argument<string>("file") { Description = "The checkpoint file; rewritten in place. A signature it has is not looked at: read what you sign." };
        var add = new Option<uint?>("--add-height")
        {
            Description = $"First add the block of this height, a multiple of {Difficulty.RetargetBlocks}, from the chain followed here.",
            HelpName = "N",
        };
        Command command = new Command("sign", "Sign a file with the owner's key of this home.") { file, add }.WithChain();
        command.SetAction(CommandContext.Action(async (context, parsed, cancel) =>
        {
            string path = parsed.GetValue(file)!;
            if (DurableFile.TryRead(path, CheckpointFile.MaxBytes, out byte[] bytes) != FileReading.Read || !CheckpointFile.TryParseUnsigned(bytes, out CheckpointFile? checkpoints))
            {
                throw new AgentException(ExitCode.Usage, $"'{path}' is no checkpoint file.");
            }

            if (parsed.GetValue(add) is { } height)
            {
                checkpoints = checkpoints with { Checkpoints = checkpoints.Checkpoints.Add(await FindAsync(context, parsed, checkpoints, height, cancel).ConfigureAwait(false)) };
            }

            using KeystoreContents owner = context.OpenOwner();
            DurableFile.Write(path, checkpoints.Sign(owner.Owner!));
            context.Presenter.Say(new NoteReply($"{path} signed by {Convert.ToHexStringLower(owner.Owner!.PublicKey.Span)}"));
        }));
        return command;
    }

    private static Command BuildCheck()
    {
        var file = new Argument<string>("file") { Description = "The checkpoint file." };
        var key = new Option<string?>("--key") { Description = "The public key, 66 hex digits. Default: the one this program trusts.", HelpName = "HEX" };
        var command = new Command("check", "Check the signature of a file.") { file, key };
        command.SetAction(CommandContext.Action((context, parsed, _) =>
        {
            OwnerPublicKey signer = parsed.GetValue(key) is { } hex ? ReadKey(hex) : Checkpoints.ProjectKey;
            bool read = DurableFile.TryRead(parsed.GetValue(file)!, CheckpointFile.MaxBytes, out byte[] bytes) == FileReading.Read;
            if (!CheckpointFile.TryParse(read ? bytes : [], signer, out CheckpointFile? checkpoints))
            {
                throw new AgentException(ExitCode.Refused, "That file is missing, damaged, or not signed by that key.");
            }

            uint newest = checkpoints.Checkpoints is [.., var last] ? last.Header.Height : 0;
            context.Presenter.Say(new NoteReply($"network {checkpoints.Network}: {checkpoints.Checkpoints.Length} checkpoints, the newest at {newest}; {(checkpoints.Arbiters is null ? "no arbiters" : $"arbiters from {checkpoints.Arbiters.From}")}"));
            return Task.CompletedTask;
        }));
        return command;
    }

    private static async Task<HeaderAnchor> FindAsync(CommandContext context, ParseResult parsed, CheckpointFile checkpoints, uint height, CancellationToken cancellationToken)
    {
        using WalletSession session = WalletSession.Open(context, parsed);
        await session.SyncAsync(context.Presenter, cancellationToken).ConfigureAwait(false);
        if (session.Network.Name != checkpoints.Network || !session.Access.AsksSeveral)
        {
            throw new AgentException(ExitCode.Usage, $"A checkpoint of {checkpoints.Network} wants --network {checkpoints.Network} and two nodes or peers at least.");
        }

        bool isDeep = height <= session.Access.Headers.Tip.Header.Height && session.Access.Headers.Tip.Header.Height - height >= MinDepth;
        bool isNext = checkpoints.Checkpoints is not [.., var last] || height > last.Header.Height;
        return isDeep && isNext && session.Headers.TryGetAnchor(height, out HeaderAnchor? anchor)
            ? anchor
            : throw new AgentException(
                ExitCode.Usage, $"A checkpoint's height is a multiple of {Difficulty.RetargetBlocks}, above the file's last, and {MinDepth} blocks or more below the tip.");
    }

    private static OwnerPublicKey ReadKey(string hex)
    {
        byte[] bytes = new byte[OwnerPublicKey.Bytes];
        return hex.Length == 2 * bytes.Length && Convert.FromHexString(hex, bytes, out _, out _) == System.Buffers.OperationStatus.Done && OwnerPublicKey.TryFromBytes(bytes, out OwnerPublicKey key)
            ? key
            : throw new AgentException(ExitCode.Usage, "--key wants 66 hex digits of a compressed P-256 key.");
    }
}
