using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Chain.Channels;

/// <summary>Nothing dangerous is ever signed, whoever asks: the judgements of <see cref="CoSigner"/> and <see cref="ChannelProposal"/>.</summary>
public class CoSignerTests
{
    private static readonly CoSigner Signer = new(Transactions, Payee);

    [Fact]
    public void TrySign_gate_refund_and_closes_as_built_signs_them()
    {
        foreach (Transaction transaction in new[] { Transactions.Gate, Transactions.Refund, Transactions.Close(Sela.Zero), Transactions.Close(new Sela(1)), Transactions.Close(Terms.Capacity) })
        {
            Assert.Equal(ChannelRefusal.None, Signer.TrySign(transaction, out ChannelSignature signature));
            Assert.True(Payee.PublicKey.VerifyTransaction(transaction.EncodeUnsigned(), signature.Span));
        }
    }

    [Fact]
    public void TrySign_sequence_that_lifts_the_lock_is_refused_on_every_input()
    {
        foreach (Transaction transaction in new[] { Transactions.Gate, Transactions.Refund, Transactions.Close(new Sela(9)) })
        {
            for (int i = 0; i < transaction.Inputs.Length; i++)
            {
                AssertRefused(ChannelRefusal.SequenceLiftsLock, transaction with { Inputs = transaction.Inputs.SetItem(i, transaction.Inputs[i] with { Sequence = Finality.FinalSequence }) });
            }
        }
    }

    [Fact]
    public void TrySign_gate_locked_to_another_height_is_refused()
    {
        foreach (uint height in new[] { 0u, 1u, Terms.LockHeight - 1, Terms.LockHeight + 1, uint.MaxValue })
        {
            AssertRefused(ChannelRefusal.WrongLock, Transactions.Gate with { LockTime = height });
        }

        AssertRefused(ChannelRefusal.WrongLock, Transactions.Close(new Sela(5)) with { LockTime = 7 });
        AssertRefused(ChannelRefusal.WrongLock, Transactions.Refund with { LockTime = Terms.LockHeight });
    }

    [Fact]
    public void TrySign_close_that_spends_the_ticket_is_refused()
    {
        Transaction close = Transactions.Close(new Sela(5_000));
        AssertRefused(ChannelRefusal.SpendsTicket, close with { Inputs = close.Inputs.Add(new TransactionInput(Transactions.Ticket, uint.MaxValue)) });
        AssertRefused(ChannelRefusal.SpendsTicket, Transactions.Gate with { Inputs = Transactions.Gate.Inputs.Add(new TransactionInput(new OutPoint(default, 0))) });
    }

    [Fact]
    public void TrySign_refund_without_the_gate_is_refused()
    {
        // The textbook's refund: it would sit in every pool and keep the deposit busy.
        AssertRefused(ChannelRefusal.NotAsAgreed, Transactions.Refund with { Inputs = [Transactions.Refund.Inputs[0]] });
        AssertRefused(ChannelRefusal.NotAsAgreed, Transactions.Refund with { Inputs = [Transactions.Refund.Inputs[0], new TransactionInput(new OutPoint(Hash256.Sha256([9]), 0))] });
    }

    [Fact]
    public void TrySign_other_outputs_or_a_strangers_transaction_is_refused()
    {
        Transaction close = Transactions.Close(new Sela(5_000));
        AssertRefused(ChannelRefusal.NotAsAgreed, close with { Outputs = [close.Outputs[0]] });
        AssertRefused(ChannelRefusal.NotAsAgreed, close with { Outputs = [close.Outputs[0] with { OutputLock = 5 }, close.Outputs[1]] });
        AssertRefused(ChannelRefusal.NotAsAgreed, Transactions.Gate with { Outputs = [Transactions.Gate.Outputs[0] with { Value = new Sela(1) }] });
        AssertRefused(ChannelRefusal.NotAsAgreed, new Transaction { Inputs = [new TransactionInput(new OutPoint(Hash256.Sha256([3]), 0))], Outputs = close.Outputs });
    }

    [Fact]
    public void Judge_sound_proposal_is_accepted() => Assert.Equal(ChannelRefusal.None, Judge(Open));

    [Fact]
    public void Judge_each_flaw_of_a_proposal_has_its_reason()
    {
        Assert.Equal(ChannelRefusal.WrongParties, ChannelProposal.Judge(Open, Stranger.PublicKey, Policy, 0));
        Assert.Equal(ChannelRefusal.WrongParties, Judge(Open with { Terms = Terms with { Payer = Payee.PublicKey } }));
        Assert.Equal(ChannelRefusal.Amounts, Judge(Open with { Terms = Terms with { Fee = new Sela(99) } }));
        Assert.Equal(ChannelRefusal.Amounts, Judge(Open with { Terms = Terms with { Deposit = Terms.Fee } }));
        Assert.Equal(ChannelRefusal.LockHeight, ChannelProposal.Judge(Open, Payee.PublicKey, Policy, Terms.LockHeight - 40));
        Assert.Equal(ChannelRefusal.LockHeight, Judge(Open with { Terms = Terms with { LockHeight = uint.MaxValue } }));
        Assert.Equal(ChannelRefusal.Malformed, Judge(Open with { Channel = Hash256.Sha256([4]) }));
        Assert.Equal(ChannelRefusal.Malformed, Judge(Open with { Gate = new byte[] { 9, 9 } }));
        Assert.Equal(ChannelRefusal.Malformed, Judge(Open with { Funding = Funding.Encode() })); // signed: not what was asked for
        Assert.Equal(ChannelRefusal.NotAsAgreed, Judge(Open with { Gate = Transactions.Refund.Encode() }));
        Assert.Equal(ChannelRefusal.SequenceLiftsLock, Judge(Open with { Gate = (Transactions.Gate with { Inputs = [new TransactionInput(Transactions.Ticket, Finality.FinalSequence)] }).Encode() }));
        Assert.Equal(ChannelRefusal.WrongLock, Judge(Open with { Gate = (Transactions.Gate with { LockTime = 3 }).Encode() }));
    }

    [Fact]
    public void Judge_funding_outputs_that_differ_are_refused()
    {
        TransactionOutput[] outputs = [.. ChannelTransactions.FundingOutputs(Terms)];
        Assert.Equal(ChannelRefusal.Deposit, Judge(OpenWith(outputs[0] with { Value = new Sela(1) }, outputs[1])));
        Assert.Equal(ChannelRefusal.Deposit, Judge(OpenWith(outputs[0] with { OutputLock = 500 }, outputs[1])));
        Assert.Equal(ChannelRefusal.Deposit, Judge(OpenWith(outputs[0] with { Owner = ProgramHash.FromTrustId(Terms.Payer.TrustId) }, outputs[1])));
        Assert.Equal(ChannelRefusal.Ticket, Judge(OpenWith(outputs[0], outputs[1] with { Value = new Sela(1) })));
        Assert.Equal(ChannelRefusal.Ticket, Judge(OpenWith(outputs[0])));
        Transaction late = Funding with { LockTime = 5, Programs = [] };
        Assert.Equal(ChannelRefusal.Funding, Judge(Open with { Channel = late.Id, Funding = late.Encode() }));
    }

    private static OpenMessage OpenWith(params TransactionOutput[] outputs)
    {
        Transaction funding = Fund(outputs) with { Programs = [] };
        var built = new ChannelTransactions(Terms, funding.Id);
        return new OpenMessage(funding.Id, Terms, funding.Encode(), built.Gate.Encode(), built.Refund.Encode());
    }

    private static ChannelRefusal Judge(OpenMessage open) => ChannelProposal.Judge(open, Payee.PublicKey, Policy, 0);

    private static void AssertRefused(ChannelRefusal expected, Transaction transaction)
    {
        Assert.Equal(expected, Signer.TrySign(transaction, out ChannelSignature signature));
        Assert.True(signature.IsNone);
    }
}
