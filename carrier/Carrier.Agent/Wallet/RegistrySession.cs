using System.CommandLine;
using Carrier.Agent.Commands;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Registry;
using Carrier.Chain.Scanning;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;

namespace Carrier.Agent.Wallet;

/// <summary>The registry as the chain has it, looked through to its tip, for the length of one command.</summary>
internal sealed class RegistrySession : IDisposable
{
    private readonly WalletSession _session;
    private readonly ScanStore _store;

    private RegistrySession(WalletSession session, ScanStore store)
    {
        _session = session;
        _store = store;
    }

    public WalletSession Chain => _session;

    public RegistryIndex Index { get; } = new();

    /// <summary>The tip, to which every block was looked through.</summary>
    public uint Tip => Index.ScannedTo;

    /// <summary>Opens the wallet and its files, follows the chain, and looks through what is new of it.</summary>
    public static async Task<RegistrySession> OpenAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        WalletSession session = WalletSession.Open(context, parsed);
        RegistrySession? registry = null;
        try
        {
            registry = new RegistrySession(session, ScanStore.Open(Path.Combine(session.Folder, "registry.db"), session.Network.Name));
            await session.SyncAsync(context.Presenter, cancellationToken).ConfigureAwait(false);
            await registry.ScanAsync(context.Presenter, cancellationToken).ConfigureAwait(false);
            return registry;
        }
        catch (InvalidDataException e)
        {
            session.Dispose();
            throw new AgentException(ExitCode.Failure, $"{e.Message} Delete '{Path.Combine(session.Folder, "registry.db")}'; the next command looks through the chain again.", e);
        }
        catch
        {
            session.Dispose();
            registry?._store.Dispose();
            throw;
        }
    }

    /// <summary>Opens the salts of commitments made here.</summary>
    public NameSecrets OpenSecrets() => NameSecrets.Open(Path.Combine(_session.Folder, "names.db"));

    /// <summary>What stands behind a block.</summary>
    public async Task<string> AssureAsync(uint height, CancellationToken cancellationToken)
    {
        HeaderAssurance assurance = await _session.Access.AssureAsync(height, cancellationToken).ConfigureAwait(false);
        return assurance.ToString();
    }

    /// <summary>Puts a record on the chain, paid and signed by the owner. One that waits already is not paid for again.</summary>
    public async Task SendAsync(CommandContext context, ParseResult parsed, KeystoreContents owner, RegistryRecord record, string note, CancellationToken cancellationToken)
    {
        if (_session.Wallet.FindSent(record.ToPayload()) is { IsPending: true } waiting)
        {
            context.Presenter.Warn("that record was sent before and waits to be mined.");
            context.Presenter.Say(new PaymentReply(waiting.Transaction.Id.ToString(), "0", "", nameof(SendingResult.Waiting), 0));
            return;
        }

        Sending sending = await _session.Wallet
            .RecordAsync(owner.Owner!, record.ToPayload(), WalletCommand.ReadAmount(parsed.GetValue(WalletCommand.Fee)!), note, cancellationToken).ConfigureAwait(false);
        WalletCommand.Say(context, sending, Sela.Zero, "");
    }

    public void Dispose()
    {
        _store.Dispose();
        _session.Dispose();
    }

    private async Task ScanAsync(IPresenter presenter, CancellationToken cancellationToken)
    {
        var scanner = new ChainScanner(_session.Access, Index, _store, _session.Access.Origin + 1);
        bool whole = false;
        await presenter.WithProgressAsync(async () => whole = await scanner.ScanAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        if (scanner.Unreadable.Count > 0)
        {
            presenter.Warn($"{scanner.Unreadable.Count} transactions are of kinds this program cannot read, the first is {scanner.Unreadable[0]}: a record hidden there is not seen.");
        }

        if (!whole)
        {
            throw new AgentException(ExitCode.Unreachable, $"Nobody gave block {Index.ScannedTo + 1} whole: try again, or with another --node or --peer.");
        }
    }
}
