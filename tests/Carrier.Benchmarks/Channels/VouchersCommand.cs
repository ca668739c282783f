using System.Diagnostics;
using System.Globalization;
using System.IO.Pipelines;
using Carrier.Benchmarks.Measuring;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;
using Carrier.Devnet.Ledger;

namespace Carrier.Benchmarks.Channels;

/// <summary><c>carrier-bench vouchers</c>: how many vouchers a second one channel takes with every one of them on both disks, and what they cost the chain.</summary>
internal static class VouchersCommand
{
    private const int Vouchers = 1_000_000;
    private const long Price = 3;
    private const long FundingFee = 10_000;
    private const int PipeBytes = 1 << 18;

    public static async Task RunAsync(BenchOptions options)
    {
        int count = options.Arguments.Count > 0 ? int.Parse(options.Arguments[0], CultureInfo.InvariantCulture) : Vouchers;
        using P256Signer payerKey = SignerOf(1);
        using P256Signer payeeKey = SignerOf(2);
        using var ledger = new TransactionLedger();
        var terms = new ChannelTerms(payerKey.PublicKey, payeeKey.PublicKey, new Sela((count * Price) + 1_000_000), new Sela(ChannelLimits.DefaultFee), 1_000);
        Transaction funding = Fund(ledger, terms, payerKey);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("carrier-bench-");
        try
        {
            Console.WriteLine(await StreamAsync(folder.FullName, ledger, terms, funding, payerKey, payeeKey, count).ConfigureAwait(false));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> StreamAsync(
        string folder, TransactionLedger ledger, ChannelTerms terms, Transaction funding, P256Signer payerKey, P256Signer payeeKey, int count)
    {
        using ChannelStore payerStore = ChannelStore.Open(Path.Combine(folder, "payer.db"));
        using ChannelStore payeeStore = ChannelStore.Open(Path.Combine(folder, "payee.db"));
        using PayerChannel payer = PayerChannel.Propose(terms, funding, payerKey, new PayerPolicy { PrepaidWindow = terms.Capacity });
        OpenMessage open = Propose(payer, payerStore);
        if (PayeeChannel.TryAccept(open, payeeKey, new PayeePolicy(), ledger.Height, isFunded: false, out PayeeChannel? accepted) != ChannelRefusal.None)
        {
            throw new InvalidOperationException("The payee refused a sound proposal.");
        }

        using PayeeChannel payee = accepted!;
        int broadcasts = 0;
        ValueTask PerformAsync(ChannelEffect effect)
        {
            if (effect is BroadcastEffect broadcast && Transaction.TryParse(broadcast.Transaction.Span, out Transaction? transaction) == TransactionReading.Read)
            {
                lock (ledger)
                {
                    broadcasts += ledger.Submit(transaction!).IsAccepted ? 1 : 0;
                }
            }

            return default;
        }

        (IDuplexPipe payerEnd, IDuplexPipe payeeEnd) = PipePair.Create(PipeBytes);
        using var payerTalk = new ChannelShell(payer, payerStore, PerformAsync);
        using var payeeTalk = new ChannelShell(payee, payeeStore, PerformAsync);
        Task payeeRuns = Task.Run(() => payeeTalk.RunAsync(payeeEnd, CancellationToken.None));
        Task payerRuns = Task.Run(() => payerTalk.RunAsync(payerEnd, CancellationToken.None));
        await UntilAsync(() => ledger.Pool.Count == 1).ConfigureAwait(false);
        await MineAsync(ledger, ChannelLimits.FinalConfirmations, payer, payerTalk, payee, payeeTalk).ConfigureAwait(false);

        long start = Stopwatch.GetTimestamp();
        (int paid, _) = await payerTalk.PayAsync(payer, new Sela(Price), count, CancellationToken.None).ConfigureAwait(false);
        await UntilAsync(() => payer.Record.Acknowledged == payer.Record.Cumulative).ConfigureAwait(false);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);

        await payerTalk.TurnAsync(payer.Close, CancellationToken.None).ConfigureAwait(false);
        await UntilAsync(() => ledger.Pool.Count == 1).ConfigureAwait(false);
        await MineAsync(ledger, ChannelLimits.FinalConfirmations, payer, payerTalk, payee, payeeTalk).ConfigureAwait(false);
        await payerEnd.Output.CompleteAsync().ConfigureAwait(false);
        await payeeEnd.Output.CompleteAsync().ConfigureAwait(false);
        await Task.WhenAll(payerRuns, payeeRuns).ConfigureAwait(false);
        ProgramHash owner = ProgramHash.FromTrustId(terms.Payee.TrustId);
        return Figures.Write(
            ("vouchers", paid),
            ("acknowledged_per_s", paid / elapsed.TotalSeconds),
            ("seconds", elapsed.TotalSeconds),
            ("payer_writes", payerTalk.Writes),
            ("payee_writes", payeeTalk.Writes),
            ("transactions", Enumerable.Range(1, (int)ledger.Height).Sum(height => ledger.TransactionsAt((uint)height).Count)),
            ("paid_in_chain", ledger.Coins.Values.Where(coin => coin.Output.Owner == owner).Sum(coin => coin.Output.Value.Value)),
            ("expected_in_chain", paid * Price));
    }

    private static P256Signer SignerOf(byte scalar)
    {
        byte[] bytes = new byte[OwnerKey.PrivateBytes];
        bytes[^1] = scalar;
        _ = OwnerKey.TryFromPrivate(bytes, out OwnerKey? key);
        using (key)
        {
            return new P256Signer(key!);
        }
    }

    private static Transaction Fund(TransactionLedger ledger, ChannelTerms terms, P256Signer payer)
    {
        Sela outputs = terms.Deposit + terms.Ticket;
        var genesis = new Transaction { Outputs = [new TransactionOutput(outputs + new Sela(FundingFee), ProgramHash.FromTrustId(terms.Payer.TrustId))] };
        _ = ledger.Connect([genesis]);
        var unsigned = new Transaction { Inputs = [new TransactionInput(new OutPoint(genesis.Id, 0))], Outputs = ChannelTransactions.FundingOutputs(terms) };
        return unsigned.WithPrograms(RedeemScript.Standard(terms.Payer).Program(payer.Sign(unsigned.EncodeUnsigned()).Span.ToArray()));
    }

    /// <summary>Takes the proposal out of the payer's first effects.</summary>
    private static OpenMessage Propose(PayerChannel payer, ChannelStore store)
    {
        while (payer.TryEffect(out ChannelEffect? effect))
        {
            if (effect is PersistEffect persist)
            {
                store.Write(persist.Record);
                payer.Persisted(persist.Ticket);
            }
            else if (effect is SendEffect { Message: OpenMessage open })
            {
                return open;
            }
        }

        throw new InvalidOperationException("The payer proposed nothing.");
    }

    private static async Task MineAsync(
        TransactionLedger ledger, uint blocks, PayerChannel payer, ChannelShell payerTalk, PayeeChannel payee, ChannelShell payeeTalk)
    {
        ChannelSight sight;
        lock (ledger)
        {
            for (uint i = 0; i < blocks; i++)
            {
                _ = ledger.Connect(ledger.Mineable());
            }

            sight = LedgerSight.Of(ledger, payer.Transactions);
        }

        await payeeTalk.TurnAsync(() => payee.Handle(sight), CancellationToken.None).ConfigureAwait(false);
        await payerTalk.TurnAsync(() => payer.Handle(sight), CancellationToken.None).ConfigureAwait(false);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        while (!holds())
        {
            await Task.Delay(1).ConfigureAwait(false);
        }
    }
}
