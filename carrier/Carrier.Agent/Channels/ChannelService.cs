using System.Collections.Concurrent;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;
using Carrier.Agent.Wallet;
using Carrier.Chain.Access;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Channels;

/// <summary>The payment channels of a running agent: all that are not over, connected, watched and acted for, from one start of the agent to the next.</summary>
/// <remarks>It holds the owner's key for as long as it runs: a channel cannot pay, be closed or be taken back without it.</remarks>
internal sealed partial class ChannelService : IAsyncDisposable
{
    /// <summary>Channels that are not over, both ends counted: each costs a few questions to the nodes in every round.</summary>
    public const int MaxChannels = 1_024;

    /// <summary>… with one peer.</summary>
    public const int MaxOfPeer = 16;

    /// <summary>Channels that peers proposed and have not funded yet: proposing costs nothing, so it must not keep out those who pay.</summary>
    public const int MaxUnfunded = 256;

    private const string StoreName = "channels.db";

    /// <summary>A node that is slow to answer is asked again in the next round, not in this one.</summary>
    private static readonly RpcPatience NodePatience = RpcPatience.Standard with { WholeAnswer = TimeSpan.FromSeconds(10), Retries = 0 };

    private readonly AgentHome _home;
    private readonly KeystoreContents _owner;
    private readonly P256Signer _signer;
    private readonly ChannelStore _store;
    private readonly ChannelDialler _dialler;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<Hash256, LiveChannel> _live = new();
    private readonly ConcurrentDictionary<Hash256, ChannelRecord> _over = new();
    private readonly SemaphoreSlim _meeting = new(1);
    private readonly OwnedTasks _tasks = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly IDisposable _listening;

    private ChannelService(AgentHome home, INetwork network, KeystoreContents owner, WalletSession session, ChannelStore store, ILogger logger)
    {
        _home = home;
        _owner = owner;
        _signer = new P256Signer(owner.Owner!);
        _store = store;
        _logger = logger;
        _dialler = new ChannelDialler(network, logger);
        Desk = new ChainDesk(session, Watched, logger);
        foreach (ChannelRecord record in store.ReadAll())
        {
            Resume(record);
        }

        _tasks.Begin(() => ToTheEndAsync(Desk.RunAsync));
        _listening = network.Listen(ChannelListener.Protocol, AnswerAsync);
    }

    public ChainDesk Desk { get; }

    public OwnerPublicKey PublicKey => _signer.PublicKey;

    /// <summary>Opens the channels of a home and goes on with them.</summary>
    /// <param name="home">Held by this process.</param>
    /// <param name="network">What peers are reached by.</param>
    /// <param name="owner">With the owner's key; the service's from here on.</param>
    /// <param name="choice">The chain.</param>
    /// <param name="logger">For what happens while nobody asks.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AgentException">The store is damaged, or the chain cannot be opened.</exception>
    public static async Task<ChannelService> StartAsync(
        AgentHome home, INetwork network, KeystoreContents owner, ChainChoice choice, ILogger logger, CancellationToken cancellationToken)
    {
        WalletSession? session = null;
        try
        {
            session = await Task.Run(() => WalletSession.Open(home, network.TrustId, choice, NodePatience), cancellationToken).ConfigureAwait(false);
            session.LetGo();
            ChannelStore store = ChannelStore.Open(Path.Combine(session.Folder, StoreName));
            return new ChannelService(home, network, owner, session, store, logger);
        }
        catch (InvalidDataException e)
        {
            session?.Dispose();
            owner.Dispose();
            throw new AgentException(
                ExitCode.Failure, $"{e.Message} There is money in it: restore channels.db from a backup, or move it away, and payers that still have theirs bring the channels back.", e);
        }
        catch
        {
            session?.Dispose();
            owner.Dispose();
            throw;
        }
    }

    /// <summary>Whether a home has channels on a network that are not over.</summary>
    public static bool HasRunning(AgentHome home, string network)
    {
        string file = Path.Combine(home.Chain, network, StoreName);
        if (!File.Exists(file))
        {
            return false;
        }

        using ChannelStore store = ChannelStore.Open(file);
        return store.ReadAll().Any(static record => !IsOver(record));
    }

    /// <summary>Every channel of this home, those that are over last.</summary>
    public IEnumerable<ChannelReport> Reports() =>
        _live.Values.OrderBy(channel => channel.Machine.IsOver).Select(channel => channel.Report()).Concat(_over.Values.Select(LiveChannel.Describe));

    /// <summary>Finds a running channel by its id, the beginning of it, or its peer's TrustID.</summary>
    /// <exception cref="AgentException">There is none, or more than one.</exception>
    public LiveChannel Find(string text, Func<LiveChannel, bool>? among = null)
    {
        bool isPeer = TrustId.TryParse(text, out TrustId peer);
        LiveChannel[] found = [.. _live.Values.Where(channel => isPeer
            ? channel.Peer == peer && !channel.Machine.IsOver
            : channel.Id.ToString().StartsWith(text, StringComparison.OrdinalIgnoreCase)).Where(among ?? (static _ => true))];
        return found.Length == 1 ? found[0] : throw new AgentException(ExitCode.Usage, found.Length == 0
            ? $"No running channel is '{text}': carrier channel list shows what there is."
            : $"'{text}' may be {found.Length} channels: give more of the id that carrier channel list shows.");
    }

    /// <summary>Proposes a channel with coins of the wallet, and begins to talk to the payee about it.</summary>
    /// <exception cref="AgentException">There are not enough coins, or too many channels.</exception>
    public Task<LiveChannel> ProposeAsync(ChannelTerms terms, Sela window, Sela fundingFee, CancellationToken cancellationToken) => Desk.UseAsync(
        async session =>
        {
            RequireRoom(terms.Payee.TrustId);
            HashSet<OutPoint> held = [.. _live.Values.Where(channel => channel is { IsPayer: true, Record.State: ChannelState.Proposed }).SelectMany(InputsOf)];
            var outputs = new Transaction { Outputs = ChannelTransactions.FundingOutputs(terms) };
            var prepared = await session.Wallet
                .PrepareAsync(_owner.Owner!, outputs, terms.Deposit + terms.Ticket, fundingFee, held, cancellationToken).ConfigureAwait(false)
                ?? throw new AgentException(
                    ExitCode.Failure, $"That takes {terms.Deposit + terms.Ticket + fundingFee} ELA, and the coins that can be spent now are not enough: carrier wallet balance shows them.");
            if (prepared.Transaction.EncodeUnsigned().Length >= ChannelLimits.MaxFundingBytes)
            {
                throw new AgentException(ExitCode.Failure, "That many small coins do not fit one channel: gather them first, carrier wallet send to your own address.");
            }

            return Add(PayerChannel.Propose(terms, prepared.Transaction, _signer, Policy(window)));
        },
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _listening.Dispose();
        await _stop.CancelAsync().ConfigureAwait(false);
        await _tasks.WhenEndedAsync().ConfigureAwait(false);
        foreach (LiveChannel channel in _live.Values)
        {
            channel.Dispose();
        }

        _store.Dispose();
        Desk.Dispose();
        _signer.Dispose();
        _owner.Dispose();
        _meeting.Dispose();
        _stop.Dispose();
    }

    private static bool IsOver(ChannelRecord record) => record.State is ChannelState.Closed or ChannelState.Refunded or ChannelState.Abandoned;

    /// <summary>A proposal of somebody else that was never funded.</summary>
    private static bool IsWorthless(ChannelRecord record) => record is { Role: ChannelRole.Payee, State: ChannelState.Abandoned };

    private static PayerPolicy Policy(Sela window) => new() { PrepaidWindow = window, TakesReceipts = true };

    private static IEnumerable<OutPoint> InputsOf(LiveChannel channel) =>
        Transaction.TryParse(channel.Record.Funding.Span, out Transaction? funding) == TransactionReading.Read
            ? funding!.Inputs.Select(input => input.Previous)
            : [];

    /// <summary>Goes on with a channel of the store. A proposal nobody waits for any more is taken back: its coins never left.</summary>
    private void Resume(ChannelRecord record)
    {
        if (IsWorthless(record))
        {
            _store.Forget(record.Channel);
            return;
        }

        if (IsOver(record))
        {
            _over[record.Channel] = record;
            return;
        }

        if (record.Role == ChannelRole.Payee)
        {
            _ = Add(new PayeeChannel(record, _signer, (ChannelSettings.Load(_home).Accept ?? new ChannelAcceptance()).ToPolicy()));
            return;
        }

        var payer = new PayerChannel(record, _signer, Policy(record.Window));
        payer.Withdraw();
        _ = Add(payer);
    }

    /// <summary>The channels to look at. What peers proposed and never funded is forgotten whole, or strangers would fill memory and disk with it.</summary>
    private IEnumerable<LiveChannel> Watched()
    {
        foreach (LiveChannel channel in _live.Values.Where(channel => IsWorthless(channel.Record)))
        {
            _store.Forget(channel.Id);
            _ = _live.TryRemove(channel.Id, out _); // not disposed: its peer may be talking to it still
        }

        return _live.Values;
    }

    private LiveChannel Add(ChannelSide machine)
    {
        var channel = new LiveChannel(machine, _store, Desk.Access, Desk.Broadcast);
        _live[channel.Id] = channel;
        _tasks.Begin(() => ToTheEndAsync(async cancellationToken =>
        {
            try
            {
                await channel.Shell.TurnAsync(static () => { }, cancellationToken).ConfigureAwait(false);
                if (channel.IsPayer)
                {
                    await _dialler.RunAsync(channel, cancellationToken).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is IOException or ChannelInvariantException)
            {
                channel.Tell(e.Message);
                LogStopped(_logger, channel.Id, e.Message);
            }
        }));
        return channel;
    }

    private LiveChannel? FindForPayer(TrustId peer, ChannelMessage message) =>
        _live.TryGetValue(message.Channel, out LiveChannel? channel) && !channel.IsPayer && channel.Peer == peer ? channel : null;

    /// <summary>Judges a proposal of a peer; one whose funding is mined already was ours once, and is taken back whoever may open new ones.</summary>
    private async Task<(LiveChannel? Channel, ChannelRefusal Refusal)> MeetAsync(TrustId peer, OpenMessage open, CancellationToken cancellationToken)
    {
        if (open.Terms.Payer.TrustId != peer || _live.ContainsKey(open.Channel) || _over.ContainsKey(open.Channel))
        {
            return (null, ChannelRefusal.WrongParties);
        }

        await _meeting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ChannelAcceptance? acceptance = ChannelSettings.Load(_home).Accept;
            bool isFunded = (await Desk.UseAsync(_ => Desk.Access.FindAsync(open.Channel, cancellationToken), cancellationToken).ConfigureAwait(false)).Proved is not null;
            if (Desk.Standing is not { Agreeing: > 0 } standing || !HasRoom(peer) || _live.ContainsKey(open.Channel)
                || !(isFunded || (acceptance?.Takes(peer) == true && HasRoomForUnfunded())))
            {
                return (null, ChannelRefusal.NotNow);
            }

            PayeePolicy policy = (acceptance ?? new ChannelAcceptance()).ToPolicy();
            ChannelRefusal refusal = PayeeChannel.TryAccept(open, _signer, policy, standing.Height, isFunded, out PayeeChannel? machine);
            LogMet(_logger, peer, open.Channel, refusal);
            return (machine is null ? null : Add(machine), refusal);
        }
        catch (AgentException)
        {
            return (null, ChannelRefusal.NotNow); // the settings do not read, or the wallet is busy
        }
        finally
        {
            _ = _meeting.Release();
        }
    }

    /// <summary>Answers a payer's session as a task of this service, so that none is left when the channels are put away.</summary>
    private Task AnswerAsync(IPeerSession session, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _tasks.Begin(async () =>
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, cancellationToken);
            try
            {
                await new ChannelListener(FindForPayer, MeetAsync).AnswerAsync(session, either.Token).ConfigureAwait(false);
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e); // the node's to judge, as that of any handler
            }
        });
        return done.Task;
    }

    private bool HasRoom(TrustId peer)
    {
        LiveChannel[] running = [.. _live.Values.Where(channel => !channel.Machine.IsOver)];
        return running.Length < MaxChannels && running.Count(channel => channel.Peer == peer) < MaxOfPeer;
    }

    private bool HasRoomForUnfunded() => _live.Values.Count(channel => channel is { IsPayer: false, Record.State: ChannelState.Funding }) < MaxUnfunded;

    private void RequireRoom(TrustId peer)
    {
        if (!HasRoom(peer))
        {
            throw new AgentException(ExitCode.Failure, $"There are {MaxChannels} channels, or {MaxOfPeer} with this peer: close one first.");
        }
    }

    /// <summary>Runs something for as long as the service lives; being stopped is how it ends well.</summary>
    private async Task ToTheEndAsync(Func<CancellationToken, Task> work)
    {
        try
        {
            await work(_stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return;
        }
    }

    [LoggerMessage(44, LogLevel.Information, "{Peer} proposed channel {Channel}: {Refusal}")]
    private static partial void LogMet(ILogger logger, TrustId peer, Hash256 channel, ChannelRefusal refusal);

    [LoggerMessage(45, LogLevel.Error, "Channel {Channel} stopped: {Reason}")]
    private static partial void LogStopped(ILogger logger, Hash256 channel, string reason);
}
