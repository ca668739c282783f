using System.Collections.Concurrent;
using Carrier.Agent.Wallet;
using Carrier.Chain.Access;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Chain.Wallet;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Channels;

/// <summary>The agent's one hand on the chain: follows it in rounds, shows it to every channel, and hands in what they want broadcast.</summary>
/// <remarks>
/// Nothing is lost with a broadcast that was not made: a machine asks for it again at every look that does not show it. Between rounds the wallet's files
/// are free for <c>carrier wallet</c>.
/// </remarks>
internal sealed partial class ChainDesk(WalletSession session, Func<IEnumerable<LiveChannel>> channels, ILogger logger) : IDisposable
{
    /// <summary>Between two rounds where blocks come every two minutes.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    /// <summary>… and where they are made at once, as on a devnet.</summary>
    private static readonly TimeSpan InstantInterval = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _gate = new(1);
    private readonly ConcurrentDictionary<(Hash256 Channel, BroadcastKind Kind), (LiveChannel Channel, BroadcastEffect Effect)> _outgoing = new();
    private readonly Pulse _wake = new();
    private (uint Height, Hash256 Block) _witnessed;
    private volatile SyncReport? _standing;

    /// <summary>How the chain stood after the last round; null before the first.</summary>
    public SyncReport? Standing => _standing;

    /// <summary>Beats after every round.</summary>
    public Pulse Rounds { get; } = new();

    public string Network => session.Network.Name;

    public ChainAccess Access => (ChainAccess)session.Access;

    /// <summary>Nodes that must agree before money is credited. A chain without retargets is one process's own.</summary>
    private int Witnesses => session.Network.Retargets ? ChainAccess.MinNodes : 1;

    /// <summary>Warns when what is configured will never be enough.</summary>
    public string? Shortage => Access.Nodes.Count < Witnesses
        ? $"Only one node is asked: channels are kept and closed, but nothing is credited before {Witnesses} agree. Give a second --node, run by somebody else."
        : null;

    /// <summary>Takes a transaction for the next moment the chain is free.</summary>
    public void Broadcast(LiveChannel channel, BroadcastEffect effect)
    {
        _outgoing[(channel.Id, effect.Kind)] = (channel, effect);
        _wake.Beat();
    }

    /// <summary>Begins the next round at once.</summary>
    public void Hurry() => _wake.Beat();

    /// <summary>Runs something on the wallet and the chain, with everybody else kept away.</summary>
    public async Task<T> UseAsync<T>(Func<WalletSession, Task<T>> work, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await session.HoldAgainAsync(cancellationToken).ConfigureAwait(false);
            return await work(session).ConfigureAwait(false);
        }
        finally
        {
            session.LetGo();
            _ = _gate.Release();
        }
    }

    /// <summary>Rounds until cancelled. A round that fails is told and tried again.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan interval = session.Network.Retargets ? Interval : InstantInterval;
        while (true)
        {
            Task woken = _wake.Next;
            try
            {
                _ = await UseAsync(async _ => await RoundAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // Whatever it was, it must not be the last round: there is money to watch.
                LogRoundFailed(logger, e.Message);
            }

            Rounds.Beat();
            await Task.WhenAny(woken, Task.Delay(interval, cancellationToken)).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    public void Dispose()
    {
        _gate.Dispose();
        session.Dispose();
    }

    private async Task<SyncReport> RoundAsync(CancellationToken cancellationToken)
    {
        SyncReport report = await session.Wallet.SyncAsync(cancellationToken).ConfigureAwait(false);
        Witness(report);
        _standing = report;
        if (report.Agreeing > 0)
        {
            foreach (LiveChannel channel in channels().Where(channel => !channel.Machine.IsOver && !channel.Shell.HasFailed && MayHaveChanged(channel, report.Height)))
            {
                await LookAsync(channel, cancellationToken).ConfigureAwait(false);
            }
        }

        foreach ((Hash256, BroadcastKind) key in _outgoing.Keys)
        {
            if (_outgoing.TryRemove(key, out (LiveChannel Channel, BroadcastEffect Effect) wanted))
            {
                await HandInAsync(wanted.Channel, wanted.Effect, cancellationToken).ConfigureAwait(false);
            }
        }

        return report;
    }

    /// <summary>The height enough nodes agree on. A node that is silent for a while takes nothing away; a reorganisation does.</summary>
    private void Witness(SyncReport report)
    {
        NodeSync[] agreeing = [.. report.Nodes.Where(node => node.Agrees).OrderByDescending(node => node.Height)];
        if (agreeing.Length >= Witnesses)
        {
            NodeSync last = agreeing[Witnesses - 1];
            _witnessed = (last.Height, last.Tip);
        }
        else if (!Access.IsOnChain(_witnessed.Height, _witnessed.Block))
        {
            _witnessed = default;
        }
    }

    /// <summary>
    /// What is only proposed to us changes with a block: to look at each in every round would let those who propose slow the rounds down for those who pay.
    /// </summary>
    private static bool MayHaveChanged(LiveChannel channel, uint height) =>
        channel is not { IsPayer: false, Record.State: ChannelState.Funding, Sight: { FundingConfirmations: 0, FundingIsPooled: false } seen } || seen.Height != height;

    private async Task LookAsync(LiveChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            await channel.LookAsync(_witnessed.Height, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ChannelInvariantException)
        {
            LogChannelFailed(logger, channel.Id, e.Message);
            channel.Tell(e.Message);
        }
    }

    private async Task HandInAsync(LiveChannel channel, BroadcastEffect effect, CancellationToken cancellationToken)
    {
        _ = Transaction.TryParse(effect.Transaction.Span, out Transaction? transaction);
        if (effect.Kind == BroadcastKind.Funding)
        {
            // The wallet's own, from the moment it may leave: its coins are spent, and it is handed in again like any other.
            session.Wallet.Intend(
                transaction!, channel.Record.Terms.Deposit, CoinSelection.DefaultFee, channel.Machine.Transactions.Script.ProgramHash.ToString(), "payment channel");
        }

        var outcomes = await Access.BroadcastAsync(transaction!, cancellationToken).ConfigureAwait(false);
        bool isTaken = outcomes.Any(outcome => outcome.Outcome.IsTaken());
        LogHandedIn(logger, effect.Kind, channel.Id, outcomes.Count(outcome => outcome.Outcome.IsTaken()));
        channel.Tell(isTaken || outcomes.Count == 0 ? null : $"No node took the {effect.Kind} transaction ({outcomes[0].Outcome}: {outcomes[0].Detail}). It is handed in again.");
    }

    [LoggerMessage(40, LogLevel.Warning, "A round on the chain failed: {Reason}")]
    private static partial void LogRoundFailed(ILogger logger, string reason);

    [LoggerMessage(41, LogLevel.Error, "Channel {Channel} stopped: {Reason}")]
    private static partial void LogChannelFailed(ILogger logger, Hash256 channel, string reason);

    [LoggerMessage(42, LogLevel.Information, "Handed in the {Kind} transaction of channel {Channel}; {Nodes} nodes have it")]
    private static partial void LogHandedIn(ILogger logger, BroadcastKind kind, Hash256 channel, int nodes);
}
