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
    /// <summary>How long a command waits for another one, or for the agent's round.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

    private readonly Stack<IDisposable> _open = [];
    private FileStream? _lock;

    private WalletSession(ChainNetwork network, TrustId owner, string folder, Func<WalletSession, IChainAccess> openAccess)
    {
        Owner = owner;
        Network = network;
        Folder = folder;
        try
        {
            _lock = Hold(folder);
            Headers = HeaderStore.Open(Path.Combine(folder, "headers.db"), network, Checkpoints.Anchors(network)); // disposed with the access
            Access = Keep(openAccess(this));
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

    /// <summary>Opens them for one command; held until disposed.</summary>
    public static WalletSession Open(CommandContext context, ParseResult parsed) => Open(
        context.Home, context.Identity.ReadTrustId(), WalletOptions.ReadNetwork(parsed), session => session.OpenAccess(parsed));

    /// <summary>Opens them for the agent, which lets go of them between its rounds; they are asked through nodes, a <see cref="ChainAccess"/>.</summary>
    public static WalletSession Open(AgentHome home, TrustId owner, ChainChoice choice, RpcPatience patience) => Open(
        home, owner, choice.ToNetwork(), session => new ChainAccess(choice.ToNodes(patience), session.Headers, TimeProvider.System));

    private static WalletSession Open(AgentHome home, TrustId owner, ChainNetwork network, Func<WalletSession, IChainAccess> openAccess)
    {
        home.Ensure();
        PrivateFolder.Ensure(home.Chain);
        string folder = Path.Combine(home.Chain, network.Name);
        PrivateFolder.Ensure(folder);
        try
        {
            return new WalletSession(network, owner, folder, openAccess);
        }
        catch (InvalidDataException e)
        {
            throw new AgentException(
                ExitCode.Failure, $"{e.Message} Move '{folder}' away: keep channels.db, which holds money; nothing else in it is needed to own coins, and of names only names.db, for those not revealed yet.", e);
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

        LetGo();
    }

    /// <summary>Lets other processes have their turn; <see cref="HoldAgainAsync"/> before the next use.</summary>
    public void LetGo()
    {
        _lock?.Dispose();
        _lock = null;
    }

    /// <exception cref="AgentException">A command has held them for too long.</exception>
    public async Task HoldAgainAsync(CancellationToken cancellationToken) =>
        _lock = await Task.Run(() => Hold(Folder), cancellationToken).ConfigureAwait(false);

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

        var access = new ChainAccess(WalletOptions.Read(parsed).ToNodes(), Headers, TimeProvider.System);
        if (WalletOptions.ReadArbiters(parsed, Network) is { } arbiters)
        {
            // Another first set is another story: it has a file of its own.
            string file = string.Create(CultureInfo.InvariantCulture, $"arbiters-{arbiters.From}.db");
            access.FollowArbiters(new ArbiterSchedule(arbiters), Keep(ScanStore.Open(Path.Combine(Folder, file), Network.Name)));
        }

        return access;
    }

    private static FileStream Hold(string folder)
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
                Thread.Sleep(LookEvery);
            }
            catch (IOException e)
            {
                throw new AgentException(ExitCode.Failure, "Another command uses this wallet: wait until it is done.", e);
            }
        }
    }
}
