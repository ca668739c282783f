using Carrier.Chain.Access;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Core.Identity;

namespace Carrier.Agent.Channels;

/// <summary>A channel that is not over: its machine, what drives it, and what the chain last looked like for it.</summary>
internal sealed class LiveChannel : IDisposable
{
    private readonly ChannelWatch _watch;
    private volatile ChannelSight? _sight;
    private volatile string? _trouble;

    /// <param name="machine">Owned from here on.</param>
    /// <param name="store">Where it is kept.</param>
    /// <param name="access">What it is watched through.</param>
    /// <param name="broadcast">Takes transactions to be handed to nodes; does not wait for that.</param>
    public LiveChannel(ChannelSide machine, ChannelStore store, ChainAccess access, Action<LiveChannel, BroadcastEffect> broadcast)
    {
        Machine = machine;
        _watch = new ChannelWatch(access, machine.Transactions);
        Shell = new ChannelShell(machine, store, Perform);
        Shell.Handled += (_, _) => Changed.Beat();

        ValueTask Perform(ChannelEffect effect)
        {
            if (effect is BroadcastEffect transaction)
            {
                broadcast(this, transaction);
            }
            else if (effect is EndedEffect ended)
            {
                Refusal = ended.Reason;
            }

            return ValueTask.CompletedTask;
        }
    }

    public ChannelSide Machine { get; }

    public ChannelShell Shell { get; }

    /// <summary>Beats after every turn and every look at the chain.</summary>
    public Pulse Changed { get; } = new();

    /// <summary>Beats when somebody wants the other side now rather than at the next try.</summary>
    public Pulse Wanted { get; } = new();

    public ChannelRecord Record => Machine.Record;

    public Hash256 Id => Machine.Record.Channel;

    public bool IsPayer => Machine.Record.Role == ChannelRole.Payer;

    /// <summary>Who is at the other end.</summary>
    public TrustId Peer => (IsPayer ? Record.Terms.Payee : Record.Terms.Payer).TrustId;

    /// <summary>What the chain looked like last; null before the first look.</summary>
    public ChannelSight? Sight => _sight;

    /// <summary>Why the payee did not take it, once it is abandoned.</summary>
    public ChannelRefusal Refusal { get; private set; }

    /// <summary>Looks at the chain and lets the machine act on it.</summary>
    public async Task LookAsync(uint witnessed, CancellationToken cancellationToken)
    {
        if (await _watch.LookAsync(witnessed, Record.Cumulative, cancellationToken).ConfigureAwait(false) is not { } sight)
        {
            return;
        }

        _sight = sight;
        await Shell.TurnAsync(() => Machine.Handle(sight), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What keeps it from going on; null when nothing does any more.</summary>
    public void Tell(string? trouble)
    {
        _trouble = trouble;
        Changed.Beat();
    }

    public ChannelReport Report() => Describe(Record) with
    {
        Connected = Shell.IsConnected,
        Height = _sight?.Height,
        Confirmations = _sight?.FundingConfirmations,
        Spender = _sight is { Deposit.Stage: not SpendStage.None } seen ? seen.Deposit.Txid.ToString() : null,
        SpenderConfirmations = _sight is { Deposit.Stage: not SpendStage.None } spent ? spent.Deposit.Confirmations : null,
        Trouble = Shell.HasFailed ? "Its store could not be written: make room on the disk and restart the agent."
            : _watch.Unreadable.Count > 0 ? $"{_watch.Unreadable.Count} transactions on the chain cannot be read by this version, such as {_watch.Unreadable.First()}: a close could hide there."
            : _trouble,
    };

    /// <summary>What a record alone says.</summary>
    public static ChannelReport Describe(ChannelRecord record) => new(
        record.Channel.ToString(),
        record.Role == ChannelRole.Payer ? "payer" : "payee",
        (record.Role == ChannelRole.Payer ? record.Terms.Payee : record.Terms.Payer).TrustId.ToString(),
        record.State.ToString(),
        record.Terms.Deposit.ToString(),
        record.Terms.Capacity.ToString(),
        record.Cumulative.ToString(),
        (record.Role == ChannelRole.Payer ? record.Acknowledged : record.Cumulative).ToString(),
        record.Window.ToString(),
        record.Sequence,
        record.Terms.LockHeight,
        false,
        Restored: record.IsRestored);

    public void Dispose()
    {
        Shell.Dispose();
        Machine.Dispose();
    }
}
