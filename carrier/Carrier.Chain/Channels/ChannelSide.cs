using System.Diagnostics.CodeAnalysis;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Channels;

/// <summary>What payer and payee have in common: a record, its durability, and the signatures. A pure machine, single-threaded by contract.</summary>
/// <remarks>The shell feeds it messages, sights of the chain and <see cref="Persisted"/>, and does what <see cref="TryEffect"/> gives, in order.</remarks>
public abstract class ChannelSide : IDisposable
{
    private readonly DurableOutbox _outbox;
    private readonly P256Verifier _counterpart;

    /// <param name="record">As read from the store, or new.</param>
    /// <param name="isDurable">Whether <paramref name="record"/> is on disk.</param>
    /// <param name="key">This side's key.</param>
    private protected ChannelSide(ChannelRecord record, bool isDurable, IChannelSigner key)
    {
        Record = record;
        _outbox = new DurableOutbox(isDurable ? record : null);
        Transactions = new ChannelTransactions(record.Terms, record.Channel);
        Signer = new CoSigner(Transactions, key);
        _counterpart = new P256Verifier(record.Role == ChannelRole.Payer ? record.Terms.Payee : record.Terms.Payer);
        if (!isDurable)
        {
            _outbox.MarkChanged();
        }
    }

    /// <summary>The record as it is in memory; what is on disk may lag behind it by one write.</summary>
    public ChannelRecord Record { get; private set; }

    public ChannelTransactions Transactions { get; }

    public bool IsOver => Record.State is ChannelState.Closed or ChannelState.Refunded or ChannelState.Abandoned;

    /// <summary>What is left to pay with.</summary>
    public Sela Remaining => Record.Terms.Capacity - Record.Cumulative;

    private protected CoSigner Signer { get; }

    /// <summary>The two sides can speak again: says what is known here.</summary>
    public abstract void Connected();

    /// <summary>Takes a message of the other side. What makes no sense is dropped: false.</summary>
    public abstract bool Handle(ChannelMessage message);

    /// <summary>Takes what the chain looks like now; call it at every new block and whenever a pool changes.</summary>
    public abstract void Handle(ChannelSight sight);

    /// <summary>The next thing to do, if any.</summary>
    public bool TryEffect([NotNullWhen(true)] out ChannelEffect? effect) => _outbox.TryTake(Record, out effect);

    /// <summary>The write of a <see cref="PersistEffect"/> is flushed to disk.</summary>
    public void Persisted(ulong ticket) => _outbox.Persisted(ticket);

    public void Dispose()
    {
        _counterpart.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected void Change(ChannelRecord record)
    {
        if (record != Record)
        {
            Record = record;
            _outbox.MarkChanged();
        }
    }

    private protected void Do(ChannelEffect effect) => _outbox.Add(effect);

    private protected void DoLatest(LatestOnly kind, ChannelEffect effect) => _outbox.AddLatest(kind, effect);

    private protected void Send(ChannelMessage message) => Do(new SendEffect(message));

    private protected bool IsSignedByCounterpart(Transaction transaction, ChannelSignature signature) =>
        _counterpart.Verify(transaction.EncodeUnsigned(), signature);

    /// <summary>Signs what this side itself built; the judge still looks at it.</summary>
    private protected ChannelSignature Sign(Transaction transaction)
    {
        ChannelRefusal refusal = Signer.TrySign(transaction, out ChannelSignature signature);
        return refusal == ChannelRefusal.None ? signature : throw new ChannelInvariantException($"a channel signs only its own transactions: {refusal}");
    }

    private protected void Broadcast(BroadcastKind kind, Transaction transaction) => Do(new BroadcastEffect(transaction.Id, transaction.Encode(), kind));

    private protected void End(ChannelState state, ChannelRefusal reason = ChannelRefusal.None)
    {
        Change(Record with { State = state });
        Do(new EndedEffect(state, reason));
    }

    /// <summary>When the deposit's spender is buried the channel is over. True while a spend is mined at all.</summary>
    private protected bool EndsWith(ChannelSight sight)
    {
        if (sight.Deposit.Stage != SpendStage.Mined)
        {
            return false;
        }

        if (sight.Deposit.Confirmations >= ChannelLimits.FinalConfirmations)
        {
            End(sight.Deposit.Txid == Transactions.Refund.Id ? ChannelState.Refunded : ChannelState.Closed);
        }

        return true;
    }
}
