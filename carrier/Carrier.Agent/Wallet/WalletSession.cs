using System.CommandLine;
using System.Globalization;
using Carrier.Agent.Commands;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Chain.Access;
using Carrier.Chain.Dpos;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Scanning;
using Carrier.Chain.Spv;
using Carrier.Chain.Storage;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.Wallet;

/// <summary>The wallet of a home for the length of one command. One process uses it at a time; it needs no running agent.</summary>
/// <remarks>
/// <code>
///  HOME/chain/NETWORK/   headers.db     the header chain          wallet.db     what was sent and received        lock
///                        sightings.db   what peers showed         registry.db   what a scan found                names.db   salts of commitments
/// </code>
/// </remarks>
internal sealed class WalletSession : IDisposable
{
    private readonly Stack<IDisposable> _open = [];

    private WalletSession(ParseResult parsed, ChainNetwork network, TrustId owner, string folder)
    {
        Owner = owner;
        Network = network;
        Folder = folder;
        try
        {
            Keep(Hold(Path.Combine(folder, "lock")));
            Headers = HeaderStore.Open(Path.Combine(folder, "headers.db"), network, Checkpoints.Anchors(network)); // disposed with the access
            Access = Keep(OpenAccess(parsed));
            Wallet = new ChainWallet(Access, Keep(WalletStore.Open(Path.Combine(folder, "wallet.db"))), owner, SystemRandomSource.Shared, TimeProvider.System);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public TrustId Owner { get; }

    public ChainNetwork Network { get; }

    /// <summary>Where the files of this network lie.</summary>
    public string Folder { get; }

    public HeaderStore Headers { get; }

    public IChainAccess Access { get; }

    public ChainWallet Wallet { get; }

    public static WalletSession Open(CommandContext context, ParseResult parsed)
    {
        ChainNetwork network = WalletOptions.ReadNetwork(parsed);
        context.Home.Ensure();
        string folder = Path.Combine(context.Home.FullPath, "chain");
        PrivateFolder.Ensure(folder);
        folder = Path.Combine(folder, network.Name);
        PrivateFolder.Ensure(folder);
        try
        {
            return new WalletSession(parsed, network, context.Identity.ReadTrustId(), folder);
        }
        catch (InvalidDataException e)
        {
            throw new AgentException(
                ExitCode.Failure, $"{e.Message} Move '{folder}' away: nothing in it is needed to own coins, and of names only names.db, for those not revealed yet.", e);
        }
    }

    /// <summary>Follows the chain and says so; a command that cannot must not go on.</summary>
    public async Task SyncAsync(IPresenter presenter, CancellationToken cancellationToken)
    {
        SyncReport report = await Wallet.SyncAsync(cancellationToken).ConfigureAwait(false);
        if (!Access.AsksSeveral)
        {
            presenter.Warn("only one is asked; it cannot forge coins, but it can hide them. Give a second --node or --peer.");
        }

        foreach (NodeSync node in report.Nodes.Where(node => !node.Agrees))
        {
            presenter.Warn($"{node.Node} {(node.Fault == NodeFault.None ? "is on a chain with less work" : $"failed: {node.Fault} {SafeText.Of(node.Detail)}")}");
        }

        if (report.Nodes.All(node => node.Fault != NodeFault.None))
        {
            throw new AgentException(ExitCode.Unreachable, "Nobody could be followed: check --node or --peer, and --network.");
        }

        foreach (Hash256 id in report.Unreadable)
        {
            presenter.Warn($"transaction {id} may concern this wallet and is of a kind this program cannot read: look it up elsewhere, or update carrier.");
        }

        presenter.Say(new ChainReply(Network.Name, report.Height, report.Tip.ToString(), report.Assurance.ToString(), report.Nodes.Count, report.Agreeing));
    }

    public void Dispose()
    {
        while (_open.TryPop(out IDisposable? last))
        {
            last.Dispose();
        }
    }

    private T Keep<T>(T opened)
        where T : IDisposable
    {
        _open.Push(opened);
        return opened;
    }

    private IChainAccess OpenAccess(ParseResult parsed)
    {
        IReadOnlyList<PeerEndpoint> peers = WalletOptions.ReadPeers(parsed, Network);
        if (peers.Count > 0)
        {
            SightingStore sightings = SightingStore.Open(Path.Combine(Folder, "sightings.db"));
            return new PeerAccess(Network, peers, Headers, sightings, ProgramHash.FromTrustId(Owner), SystemRandomSource.Shared, TimeProvider.System);
        }

        var access = new ChainAccess(WalletOptions.ReadNodes(parsed, Network), Headers, TimeProvider.System);
        if (WalletOptions.ReadArbiters(parsed, Network) is { } arbiters)
        {
            // Another first set is another story: it has a file of its own.
            string file = string.Create(CultureInfo.InvariantCulture, $"arbiters-{arbiters.From}.db");
            access.FollowArbiters(new ArbiterSchedule(arbiters), Keep(ScanStore.Open(Path.Combine(Folder, file), Network.Name)));
        }

        return access;
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
