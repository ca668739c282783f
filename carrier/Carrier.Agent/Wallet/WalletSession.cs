using System.CommandLine;
using Carrier.Agent.Commands;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Chain.Access;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Storage;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.Wallet;

/// <summary>The chain and the wallet of a home. One process uses them at a time, be it for a command or for one round of the agent's channels.</summary>
/// <remarks>
/// <code>
///  HOME/chain/NETWORK/   headers.db   the header chain        wallet.db   what was sent and received        lock
///                        channels.db  payment channels; the running agent's alone
/// </code>
/// </remarks>
internal sealed class WalletSession : IDisposable
{
    /// <summary>How long a command waits for another one, or for the agent's round.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

    private readonly WalletStore _store;
    private FileStream? _lock;

    private WalletSession(string folder, TrustId owner, ChainNetwork network, FileStream held, ChainAccess access, WalletStore store)
    {
        _lock = held;
        _store = store;
        Folder = folder;
        Network = network;
        Access = access;
        Wallet = new ChainWallet(access, store, owner, SystemRandomSource.Shared, TimeProvider.System);
    }

    public string Folder { get; }

    public ChainNetwork Network { get; }

    public ChainAccess Access { get; }

    public ChainWallet Wallet { get; }

    /// <summary>Opens them for one command; held until disposed.</summary>
    public static Task<WalletSession> OpenAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken) =>
        OpenAsync(context.Home, context.Identity.ReadTrustId(), WalletOptions.Read(parsed), null, cancellationToken);

    /// <inheritdoc cref="OpenAsync(CommandContext, ParseResult, CancellationToken)"/>
    public static async Task<WalletSession> OpenAsync(
        AgentHome home, TrustId owner, ChainChoice choice, RpcPatience? patience, CancellationToken cancellationToken)
    {
        ChainNetwork network = choice.ToNetwork();
        home.Ensure();
        PrivateFolder.Ensure(home.Chain);
        string folder = Path.Combine(home.Chain, network.Name);
        PrivateFolder.Ensure(folder);
        FileStream held = await HoldAsync(folder, cancellationToken).ConfigureAwait(false);
        HeaderStore? headers = null;
        try
        {
            IReadOnlyList<RpcNode> nodes = choice.ToNodes(patience);
            headers = HeaderStore.Open(Path.Combine(folder, "headers.db"), network, Checkpoints.Newest(network));
            var access = new ChainAccess(nodes, headers, TimeProvider.System);
            return new WalletSession(folder, owner, network, held, access, WalletStore.Open(Path.Combine(folder, "wallet.db")));
        }
        catch (InvalidDataException e)
        {
            headers?.Dispose();
            held.Dispose();
            throw new AgentException(ExitCode.Failure, $"{e.Message} Move '{folder}' away, but keep channels.db; nothing else in it is needed to own the coins.", e);
        }
        catch
        {
            headers?.Dispose();
            held.Dispose();
            throw;
        }
    }

    /// <summary>Lets other processes have their turn; <see cref="HoldAgainAsync"/> before the next use.</summary>
    public void LetGo()
    {
        _lock?.Dispose();
        _lock = null;
    }

    /// <exception cref="AgentException">A command has held them for too long.</exception>
    public async Task HoldAgainAsync(CancellationToken cancellationToken) => _lock = await HoldAsync(Folder, cancellationToken).ConfigureAwait(false);

    /// <summary>Follows the chain and says so; a command that cannot must not go on.</summary>
    public async Task SyncAsync(IPresenter presenter, CancellationToken cancellationToken)
    {
        SyncReport report = await Wallet.SyncAsync(cancellationToken).ConfigureAwait(false);
        if (!Access.AsksSeveral)
        {
            presenter.Warn("only one node is asked; it cannot forge coins, but it can hide them. Give a second --node.");
        }

        foreach (NodeSync node in report.Nodes.Where(node => !node.Agrees))
        {
            presenter.Warn($"{node.Node} {(node.Fault == NodeFault.None ? "is on a chain with less work" : $"failed: {node.Fault} {SafeText.Of(node.Detail)}")}");
        }

        if (report.Nodes.All(node => node.Fault != NodeFault.None))
        {
            throw new AgentException(ExitCode.Unreachable, "No node could be followed: check --node and --network.");
        }

        presenter.Say(new ChainReply(Network.Name, report.Height, report.Tip.ToString(), report.Assurance.ToString(), report.Nodes.Count, report.Agreeing));
    }

    public void Dispose()
    {
        Access.Dispose();
        _store.Dispose();
        LetGo();
    }

    private static async Task<FileStream> HoldAsync(string folder, CancellationToken cancellationToken)
    {
        long begun = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(begun) < Patience)
            {
                await Task.Delay(LookEvery, cancellationToken).ConfigureAwait(false);
            }
            catch (IOException e)
            {
                throw new AgentException(ExitCode.Failure, "Another command uses this wallet: wait until it is done.", e);
            }
        }
    }
}
