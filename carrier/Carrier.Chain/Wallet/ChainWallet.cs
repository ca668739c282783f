using System.Collections.Immutable;
using Carrier.Chain.Access;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core;
using Carrier.Core.Identity;

namespace Carrier.Chain.Wallet;

/// <summary>The account of one TrustID: what it has, what it sends, what became of that.</summary>
public sealed class ChainWallet(IChainAccess access, WalletStore store, TrustId owner, RandomSource random, TimeProvider time)
{
    private const int NonceBytes = 8;

    private static readonly HashSet<OutPoint> NoneHeld = [];

    public ProgramHash Account { get; } = ProgramHash.FromTrustId(owner);

    private UnixTime Now => new(time.GetUtcNow().ToUnixTimeSeconds());

    /// <summary>Follows the chain, then every sent transaction: notes where it was mined, forgets that after a reorganisation, hands it in again while it waits.</summary>
    public async Task<SyncReport> SyncAsync(CancellationToken cancellationToken)
    {
        SyncReport report = await access.SyncAsync(cancellationToken).ConfigureAwait(false);
        foreach (SentTransaction sent in store.Sent())
        {
            if (sent.Height is { } height && access.IsOnChain(height, sent.Block))
            {
                continue;
            }

            await TrackAsync(sent, cancellationToken).ConfigureAwait(false);
        }

        return report;
    }

    /// <summary>Sorts the coins by what can be done with them.</summary>
    public async Task<Balance> BalanceAsync(CancellationToken cancellationToken)
    {
        CoinReport report = await access.CoinsAsync(Account, cancellationToken).ConfigureAwait(false);
        foreach (Coin coin in report.Coins)
        {
            store.AddReceived(coin.OutPoint, coin.Output.Value, coin.Height);
        }

        return Balance.Of(report, store.Sent(), Account, access.Headers.Tip.Header.Height);
    }

    /// <summary>Pays an amount.</summary>
    public Task<Sending> SendAsync(OwnerKey key, ProgramHash to, Sela amount, Sela fee, string note, CancellationToken cancellationToken)
    {
        // Paying elsewhere is refused by the chain (a DID) or gives the money to whoever comes first (a code nobody checked).
        return to.Prefix is AddressPrefix.Standard or AddressPrefix.MultiSignature && amount > Sela.Zero
            ? PayAsync(key, new Transaction { Outputs = [new(amount, to)] }, amount, fee, to.ToString(), note, cancellationToken)
            : Task.FromResult(new Sending(SendingResult.BadRecipient, null, []));
    }

    /// <summary>Anchors bytes on the chain; it costs the fee, and the coins come back as change.</summary>
    public Task<Sending> RecordAsync(OwnerKey key, RecordPayload record, Sela fee, string note, CancellationToken cancellationToken) => PayAsync(
        key, new Transaction { Type = TransactionType.Record, Payload = record.Encode() }, Sela.Zero, fee, "", note, cancellationToken);

    /// <summary>The newest transaction this wallet ever sent with just this record; null when there is none. Asked before a record is paid for twice.</summary>
    public SentTransaction? FindSent(RecordPayload record)
    {
        byte[] payload = record.Encode();
        return store.Sent().LastOrDefault(sent => sent.Transaction.Type == TransactionType.Record && sent.Transaction.Payload.Span.SequenceEqual(payload));
    }

    /// <summary>Everything sent and received, as proved.</summary>
    public IReadOnlyList<HistoryEntry> History() => WalletHistory.Of(store.Sent(), store.Received(), access.Headers.Tip.Header.Height);

    /// <summary>Chooses coins for outputs and signs, and does no more: for a transaction that must not leave yet. Before it does, <see cref="Intend"/>.</summary>
    /// <param name="key">The account's key.</param>
    /// <param name="payment">Its outputs and payload; inputs, change and signature are added.</param>
    /// <param name="amount">What the outputs take in all.</param>
    /// <param name="fee">At least <see cref="CoinSelection.MinFee"/>.</param>
    /// <param name="held">Coins others of our own prepared transactions spend.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null when the coins that may be spent now are not enough.</returns>
    public async Task<PreparedPayment?> PrepareAsync(
        OwnerKey key, Transaction payment, Sela amount, Sela fee, IReadOnlySet<OutPoint> held, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(payment);
        ArgumentNullException.ThrowIfNull(held);
        Balance balance = await BalanceAsync(cancellationToken).ConfigureAwait(false);
        if (CoinSelection.Choose(balance.Spendable.Where(coin => !held.Contains(coin.OutPoint)), amount, fee) is not { } choice)
        {
            return null;
        }

        // A Record without any output is refused by the chain: then change is made whatever its size.
        ImmutableArray<TransactionOutput> outputs = payment.Outputs;
        if (choice.Change > Sela.Zero || outputs.IsEmpty)
        {
            Sela change = choice.Change > Sela.Zero ? choice.Change : choice.Fee - fee;
            outputs = outputs.Add(new TransactionOutput(change, Account));
            choice = choice with { Fee = choice.Change > Sela.Zero ? choice.Fee : fee };
        }

        Transaction signed = Sign(key, payment with
        {
            Attributes = [new(AttributeUsage.Nonce, Nonce())],
            Inputs = [.. choice.Coins.Select(coin => new TransactionInput(coin.OutPoint, coin.Output.OutputLock > 0 ? Finality.LockedSequence : 0))],
            Outputs = outputs,
            LockTime = choice.Coins.Max(coin => coin.Output.OutputLock),
        });
        return new PreparedPayment(signed, choice.Fee);
    }

    /// <summary>Notes that a transaction is about to leave; once it is on disk every sync tracks it and hands it in again. Noting one twice changes nothing.</summary>
    public void Intend(Transaction transaction, Sela amount, Sela fee, string recipient, string note) =>
        store.AddIntent(transaction, Now, amount, fee, recipient, note);

    private async Task<Sending> PayAsync(
        OwnerKey key, Transaction payment, Sela amount, Sela fee, string recipient, string note, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (fee < CoinSelection.MinFee)
        {
            return new Sending(SendingResult.FeeTooLow, null, []);
        }

        if (await PrepareAsync(key, payment, amount, fee, NoneHeld, cancellationToken).ConfigureAwait(false) is not { } prepared)
        {
            return new Sending(SendingResult.NotEnough, null, []);
        }

        Transaction signed = prepared.Transaction;
        Intend(signed, amount, prepared.Fee, recipient, note);
        var outcomes = await access.BroadcastAsync(signed, cancellationToken).ConfigureAwait(false);
        if (!outcomes.Any(outcome => outcome.Outcome.IsTaken()) && outcomes.All(outcome => outcome.Outcome != SendOutcome.Unknown))
        {
            store.GiveUp(signed.Id); // every node judged it and none has it
            return new Sending(SendingResult.Refused, signed, outcomes);
        }

        return new Sending(outcomes.Any(outcome => outcome.Outcome.IsTaken()) ? SendingResult.Sent : SendingResult.Waiting, signed, outcomes);
    }

    private static Transaction Sign(OwnerKey key, Transaction transaction) =>
        transaction.WithPrograms(RedeemScript.Standard(key.PublicKey).Program(transaction.Sign(key)));

    private byte[] Nonce()
    {
        byte[] nonce = new byte[NonceBytes];
        random.Fill(nonce);
        return nonce;
    }

    private async Task TrackAsync(SentTransaction sent, CancellationToken cancellationToken)
    {
        Hash256 id = sent.Transaction.Id;
        Inclusion inclusion = await access.FindAsync(id, cancellationToken).ConfigureAwait(false);
        if (inclusion.Proved is { } proved)
        {
            store.SetMined(id, proved.Header.Height, proved.Header.Hash);
            return;
        }

        if (sent.Height is not null)
        {
            store.SetMined(id, null, default); // its block left the chain: it waits again
        }

        if (!sent.GivenUp)
        {
            _ = await access.BroadcastAsync(sent.Transaction, cancellationToken).ConfigureAwait(false);
        }
    }
}

/// <summary>A signed transaction that nobody has seen, and what it pays the miner.</summary>
public sealed record PreparedPayment(Transaction Transaction, Sela Fee);

/// <summary>How a payment went.</summary>
/// <param name="Nodes">What each node made of it.</param>
public sealed record Sending(SendingResult Result, Transaction? Transaction, IReadOnlyList<(string Node, SendOutcome Outcome, string Detail)> Nodes);

/// <summary>The outcomes of a payment.</summary>
public enum SendingResult
{
    /// <summary>A node took it.</summary>
    Sent,

    /// <summary>No node answered for certain: it is kept and handed in again.</summary>
    Waiting,

    /// <summary>The coins that may be spent now are not enough.</summary>
    NotEnough,

    /// <summary>Below what nodes take.</summary>
    FeeTooLow,

    /// <summary>Not an account that can be paid, or nothing to pay.</summary>
    BadRecipient,

    /// <summary>Every node refused it.</summary>
    Refused,
}
