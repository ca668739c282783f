using System.CommandLine;
using Carrier.Agent.Commands;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Chain.Access;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Storage;
using Carrier.Chain.Wallet;
using Carrier.Core.Storage;

namespace Carrier.Agent.Wallet;

/// <summary>The wallet of a home for the length of one command. One process uses it at a time; it needs no running agent.</summary>
/// <remarks>
/// <code>
///  HOME/chain/NETWORK/   headers.db   the header chain        wallet.db   what was sent and received        lock
/// </code>
/// </remarks>
internal sealed class WalletSession : IDisposable
{
    private readonly FileStream _lock;
    private readonly WalletStore _store;

    private WalletSession(CommandContext context, ChainNetwork network, FileStream held, ChainAccess access, WalletStore store)
    {
        _lock = held;
        _store = store;
        Network = network;
        Access = access;
        Wallet = new ChainWallet(access, store, context.Identity.ReadTrustId(), SystemRandomSource.Shared, TimeProvider.System);
    }

    public ChainNetwork Network { get; }

    public ChainAccess Access { get; }

    public ChainWallet Wallet { get; }

    public static WalletSession Open(CommandContext context, ParseResult parsed)
    {
        ChainNetwork network = WalletOptions.ReadNetwork(parsed);
        context.Home.Ensure();
        string folder = Path.Combine(context.Home.FullPath, "chain");
        PrivateFolder.Ensure(folder);
        folder = Path.Combine(folder, network.Name);
        PrivateFolder.Ensure(folder);
        FileStream held = Hold(Path.Combine(folder, "lock"));
        IReadOnlyList<RpcNode> nodes = WalletOptions.ReadNodes(parsed, network);
        try
        {
            HeaderStore headers = HeaderStore.Open(Path.Combine(folder, "headers.db"), network, Checkpoints.Newest(network));
            return new WalletSession(
                context, network, held, new ChainAccess(nodes, headers, TimeProvider.System), WalletStore.Open(Path.Combine(folder, "wallet.db")));
        }
        catch (InvalidDataException e)
        {
            held.Dispose();
            throw new AgentException(ExitCode.Failure, $"{e.Message} Move '{folder}' away; nothing in it is needed to own the coins.", e);
        }
    }

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
        _lock.Dispose();
    }

    private static FileStream Hold(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new AgentException(ExitCode.Failure, "Another command uses this wallet: wait until it is done.", e);
        }
    }
}
