using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Chain.Channels;

/// <summary>The course of a channel step by step, and each invariant of it.</summary>
public class ChannelMachineTests
{
    private static readonly PayerPolicy Prepaying = new() { PrepaidWindow = new Sela(10_000) };

    [Fact]
    public void Propose_funding_leaves_only_after_both_signatures_are_on_disk()
    {
        using PayerChannel payer = PayerChannel.Propose(Terms, Funding, Payer, Prepaying);
        OpenMessage open = Assert.Single(Drain(payer).Sent<OpenMessage>());
        payer.Handle(Sight(1, confirmations: 0));
        Assert.Empty(Drain(payer)); // nothing is broadcast on the strength of a proposal

        Assert.Equal(ChannelRefusal.None, PayeeChannel.TryAccept(open, Payee, Policy, 0, isFunded: false, out PayeeChannel? payee));
        using PayeeChannel _ = payee!;
        AcceptMessage accept = Assert.Single(Drain(payee!).Sent<AcceptMessage>());
        Assert.False(payer.Handle(accept with { Gate = accept.Refund }));
        Assert.False(payer.Handle(accept with { Refund = accept.Gate }));
        Assert.True(payer.Handle(accept));

        Assert.True(payer.TryEffect(out ChannelEffect? first));
        PersistEffect write = Assert.IsType<PersistEffect>(first);
        Assert.False(write.Record.Gate.IsNone || write.Record.Refund.IsNone);
        Assert.False(payer.TryEffect(out ChannelEffect? early)); // the write is not flushed yet
        payer.Persisted(write.Ticket);
        Assert.Equal([BroadcastKind.Funding], Drain(payer).Broadcasts());
    }

    [Fact]
    public void Resume_of_a_payee_whose_accept_was_lost_is_answered_with_the_proposal_again()
    {
        using PayerChannel payer = PayerChannel.Propose(Terms, Funding, Payer, Prepaying);
        OpenMessage open = Assert.Single(Drain(payer).Sent<OpenMessage>());
        Assert.Equal(ChannelRefusal.None, PayeeChannel.TryAccept(open, Payee, Policy, 0, isFunded: false, out PayeeChannel? payee));
        using PayeeChannel _ = payee!;
        Drain(payee!); // while no stream was there

        payee!.Connected();
        Assert.True(payer.Handle(Assert.Single(Drain(payee).Sent<ResumeMessage>())));
        Assert.True(payee.Handle(Assert.Single(Drain(payer).Sent<OpenMessage>())));
        Assert.True(payer.Handle(Assert.Single(Drain(payee).Sent<AcceptMessage>())));
        Assert.Equal(ChannelState.Funding, payer.Record.State);
    }

    [Fact]
    public void TryPay_voucher_is_on_disk_before_it_is_sent_and_a_group_shares_one_write()
    {
        using PayerChannel payer = OpenPayer();
        Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(100)));
        Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(200)));
        Assert.True(payer.TryEffect(out ChannelEffect? effect));
        PersistEffect write = Assert.IsType<PersistEffect>(effect);
        Assert.Equal(new Sela(300), write.Record.Cumulative);
        Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(1))); // comes while the write is under way: waits for the next
        Assert.False(payer.TryEffect(out ChannelEffect? early));
        payer.Persisted(write.Ticket);
        Assert.True(payer.TryEffect(out ChannelEffect? one));
        Assert.True(payer.TryEffect(out ChannelEffect? two));
        Assert.Equal([100L, 300], new[] { one, two }.Sent<VoucherMessage>().Select(voucher => voucher.Cumulative.Value));
        Assert.True(payer.TryEffect(out ChannelEffect? next));
        Assert.IsType<PersistEffect>(next);
    }

    [Fact]
    public void TryPay_beyond_window_capacity_or_state_is_refused()
    {
        using PayerChannel payer = OpenPayer();
        Assert.Equal(PaymentRefusal.OverWindow, payer.TryPay(new Sela(10_001)));
        Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(10_000)));
        Assert.Equal(PaymentRefusal.OverWindow, payer.TryPay(new Sela(1)));
        payer.Received(new Sela(500));
        Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(500)));
        Assert.Equal(PaymentRefusal.OverCapacity, payer.TryPay(Terms.Capacity));
        Assert.Equal(PaymentRefusal.Nothing, payer.TryPay(Sela.Zero));
        payer.Close();
        Assert.Equal(PaymentRefusal.NotOpen, payer.TryPay(new Sela(1)));
    }

    [Fact]
    public void TryPay_where_receipts_are_all_that_is_owed_is_bounded_by_what_is_not_acknowledged()
    {
        using var payer = new PayerChannel(OpenRecord(ChannelRole.Payer), Payer, Prepaying with { TakesReceipts = true });
        Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(10_000)));
        payer.Received(new Sela(10_000)); // not what counts here
        Assert.Equal(PaymentRefusal.OverWindow, payer.TryPay(new Sela(1)));
        Assert.True(payer.Handle(new AckMessage(Funding.Id, 1, new Sela(10_000))));
        Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(10_000)));
    }

    [Fact]
    public void Withdraw_takes_a_proposal_back_for_good_and_nothing_else()
    {
        using PayerChannel payer = PayerChannel.Propose(Terms, Funding, Payer, Prepaying);
        OpenMessage open = Assert.Single(Drain(payer).Sent<OpenMessage>());
        Assert.Equal(ChannelRefusal.None, PayeeChannel.TryAccept(open, Payee, Policy, 0, isFunded: false, out PayeeChannel? payee));
        using PayeeChannel _ = payee!;
        payer.Withdraw();
        Assert.Equal(ChannelState.Abandoned, payer.Record.State);
        Assert.False(payer.Handle(Assert.Single(Drain(payee!).Sent<AcceptMessage>())));
        Assert.Empty(Drain(payer).Broadcasts());

        using PayerChannel paying = OpenPayer();
        paying.Withdraw();
        Assert.Equal(ChannelState.Open, paying.Record.State);
    }

    [Fact]
    public void Handle_voucher_is_acknowledged_only_once_it_is_on_disk_and_never_falls()
    {
        using PayeeChannel payee = OpenPayee();
        Assert.True(payee.Handle(Voucher(1, 1_000)));
        Assert.True(payee.Handle(Voucher(2, 3_000)));
        Assert.True(payee.TryEffect(out ChannelEffect? effect));
        PersistEffect write = Assert.IsType<PersistEffect>(effect);
        Assert.False(payee.TryEffect(out ChannelEffect? early));
        payee.Persisted(write.Ticket);
        Assert.Equal(new Sela(3_000), Assert.Single(Drain(payee).Sent<AckMessage>()).Cumulative);

        Assert.True(payee.Handle(Voucher(9, 2_000))); // an old state: answered with the highest
        Assert.Equal(new Sela(3_000), Assert.Single(Drain(payee).Sent<AckMessage>()).Cumulative);
        Assert.Equal(new Sela(3_000), payee.Record.Cumulative);
    }

    [Fact]
    public void Handle_voucher_forged_or_beyond_capacity_changes_nothing()
    {
        using PayeeChannel payee = OpenPayee();
        Assert.False(payee.Handle(Voucher(1, 1_000) with { Cumulative = new Sela(1_001) }));
        Assert.False(payee.Handle(Voucher(1, 1_000) with { Signature = Sign(Payee, Transactions.Close(new Sela(1_000))) }));
        Assert.False(payee.Handle(new VoucherMessage(Funding.Id, 1, Terms.Capacity + new Sela(1), default)));
        Assert.False(payee.Handle(Voucher(1, 1_000) with { Channel = Hash256.Sha256([1]) }));
        Assert.Empty(Drain(payee));
        Assert.Equal(Sela.Zero, payee.Record.Cumulative);
    }

    [Fact]
    public void TryServe_before_confirmations_or_the_payers_hello_or_beyond_the_window_is_refused()
    {
        ChannelRecord funded = OpenRecord(ChannelRole.Payee) with { State = ChannelState.Funding };
        using var payee = new PayeeChannel(funded, Payee, Policy);
        Assert.True(payee.Handle(Hello));
        payee.Handle(Sight(10, confirmations: 5));
        Assert.False(payee.TryServe(new Sela(1)));
        payee.Handle(Sight(11, confirmations: 6));
        Assert.True(payee.TryServe(new Sela(5_000)));
        Assert.False(payee.TryServe(new Sela(1)));
        Assert.True(payee.Handle(Voucher(1, 700)));
        Assert.True(payee.TryServe(new Sela(700)));
        payee.Handle(Sight(12, confirmations: 3)); // a reorganisation: nothing is credited any more
        Assert.Equal(Sela.Zero, payee.Servable);
        Assert.Equal([5_000L, 700], Drain(payee).OfType<ServeEffect>().Select(serve => serve.Worth.Value));

        using var again = new PayeeChannel(funded with { State = ChannelState.Open }, Payee, Policy);
        Assert.False(again.TryServe(new Sela(1))); // just started: the payer may know that this side was rolled back
    }

    [Fact]
    public void Handle_sight_of_no_funding_for_two_hours_forgets_the_proposal_but_never_a_voucher()
    {
        ChannelRecord proposed = OpenRecord(ChannelRole.Payee) with { State = ChannelState.Funding };
        const uint Patience = ChannelLimits.FundingPatience;
        using var payee = new PayeeChannel(proposed, Payee, Policy);
        payee.Handle(Sight(10, confirmations: 0));
        payee.Handle(Sight(9 + Patience, confirmations: 0));
        payee.Handle(Sight(10 + Patience, confirmations: 0) with { FundingIsPooled = true }); // it begins anew
        payee.Handle(Sight(11 + Patience, confirmations: 0));
        payee.Handle(Sight(10 + (2 * Patience), confirmations: 0));
        Assert.Equal(ChannelState.Funding, payee.Record.State);
        payee.Handle(Sight(11 + (2 * Patience), confirmations: 0));
        Assert.Equal(ChannelState.Abandoned, payee.Record.State);

        // Mined, paid with, and reorganised away: the voucher is worth something should the funding come back.
        VoucherMessage voucher = Voucher(1, 700);
        using var paid = new PayeeChannel(proposed with { Sequence = 1, Cumulative = new Sela(700), Voucher = voucher.Signature }, Payee, Policy);
        paid.Handle(Sight(10, confirmations: 0));
        paid.Handle(Sight(10 + (2 * Patience), confirmations: 0));
        Assert.Equal(ChannelState.Funding, paid.Record.State);
    }

    [Theory]
    [InlineData(969u, false)]
    [InlineData(970u, true)]
    public void Handle_sight_within_the_margin_of_L_closes_with_the_highest_voucher(uint height, bool closes)
    {
        using PayeeChannel payee = OpenPayee();
        Assert.True(payee.Handle(Voucher(1, 4_000)));
        payee.Handle(Sight(height));
        List<ChannelEffect> effects = Drain(payee);
        Assert.Equal(closes ? [BroadcastKind.Close] : [], effects.Broadcasts());
        if (closes)
        {
            AssertPays(4_000, effects);
            Assert.False(payee.Handle(Voucher(2, 5_000))); // no voucher after the close
        }
    }

    [Fact]
    public void Handle_sight_gate_in_a_pool_near_L_or_threshold_passed_closes()
    {
        var gate = new ChannelSpend(SpendStage.Pooled, Transactions.Gate.Id, 0);
        using PayeeChannel alarmed = OpenPayee();
        Assert.True(alarmed.Handle(Voucher(1, 4_000)));
        alarmed.Handle(Sight(800, ticket: gate));
        Assert.Empty(Drain(alarmed).Broadcasts());
        alarmed.Handle(Sight(880, ticket: gate));
        Assert.Equal([BroadcastKind.Close], Drain(alarmed).Broadcasts());

        using var full = new PayeeChannel(OpenRecord(ChannelRole.Payee), Payee, Policy with { CloseThreshold = new Sela(4_000) });
        Assert.True(full.Handle(Hello));
        Assert.True(full.Handle(Voucher(1, 4_000)));
        full.Handle(Sight(20));
        Assert.Equal([BroadcastKind.Close], Drain(full).Broadcasts());
    }

    [Fact]
    public void Handle_sight_after_L_takes_back_through_gate_and_refund()
    {
        using PayerChannel payer = OpenPayer();
        payer.Handle(Sight(999));
        Assert.Empty(Drain(payer).Broadcasts());
        payer.Handle(Sight(1_000));
        Assert.Equal([BroadcastKind.Gate], Drain(payer).Broadcasts());
        payer.Handle(Sight(1_001, ticket: new ChannelSpend(SpendStage.Mined, Transactions.Gate.Id, 1)));
        Assert.Equal([BroadcastKind.Refund], Drain(payer).Broadcasts());
        payer.Handle(Sight(1_008, deposit: new ChannelSpend(SpendStage.Mined, Transactions.Refund.Id, 6)));
        Assert.Equal(ChannelState.Refunded, payer.Record.State);
    }

    [Fact]
    public void Close_cooperatively_both_sides_can_broadcast_the_same_close()
    {
        using PayerChannel payer = OpenPayer();
        using PayeeChannel payee = OpenPayee();
        _ = payer.TryPay(new Sela(2_500));
        payer.Close();
        foreach (ChannelMessage message in Drain(payer).Sent<ChannelMessage>())
        {
            Assert.True(payee.Handle(message));
        }

        List<ChannelEffect> fromPayee = Drain(payee);
        AssertPays(2_500, fromPayee);
        Assert.True(payer.Handle(Assert.Single(fromPayee.Sent<CoSignedMessage>())));
        AssertPays(2_500, Drain(payer));
    }

    [Fact]
    public void Handle_cooperative_close_below_the_highest_voucher_is_not_signed()
    {
        using PayeeChannel payee = OpenPayee();
        Assert.True(payee.Handle(Voucher(2, 3_000)));
        VoucherMessage less = Voucher(1, 1_000);
        Assert.True(payee.Handle(new CooperativeCloseMessage(Funding.Id, 1, less.Cumulative, less.Signature)));
        List<ChannelEffect> effects = Drain(payee);
        Assert.Empty(effects.Sent<CoSignedMessage>());
        Assert.Equal(new Sela(3_000), Assert.Single(effects.Sent<ResumeMessage>()).Cumulative); // the proof instead
    }

    [Fact]
    public void Handle_resume_higher_than_known_rules_and_ends_the_payers_payments()
    {
        using PayerChannel payer = OpenPayer();
        VoucherMessage lost = Voucher(4, 7_000);
        Assert.False(payer.Handle(new ResumeMessage(Funding.Id, 4, new Sela(8_000), lost.Signature, Sela.Zero, Sela.Zero)));
        Assert.True(payer.Handle(new ResumeMessage(Funding.Id, 4, lost.Cumulative, lost.Signature, lost.Cumulative, Sela.Zero)));
        Assert.Equal(new Sela(7_000), payer.Record.Cumulative);
        Assert.Equal(PaymentRefusal.NotOpen, payer.TryPay(new Sela(1)));
        Assert.Single(Drain(payer).Sent<CloseMessage>());
    }

    [Fact]
    public void Handle_resume_payer_knows_more_than_a_rolled_back_payee_which_takes_it_and_closes()
    {
        using PayeeChannel payee = OpenPayee();
        VoucherMessage highest = Voucher(4, 7_000);
        Assert.True(payee.Handle(new ResumeMessage(Funding.Id, 4, highest.Cumulative, highest.Signature, highest.Cumulative, new Sela(7_000))));
        Assert.Equal(Sela.Zero, payee.Servable);
        AssertPays(7_000, Drain(payee));
    }

    [Fact]
    public void TryAccept_of_a_funded_channel_is_a_lost_database_and_only_closes()
    {
        Assert.Equal(ChannelRefusal.None, PayeeChannel.TryAccept(Open, Payee, Policy, Terms.LockHeight - 20, isFunded: true, out PayeeChannel? machine));
        using PayeeChannel payee = machine!;
        _ = Drain(payee);
        VoucherMessage highest = Voucher(4, 7_000);
        Assert.True(payee.Handle(new ResumeMessage(Funding.Id, 4, highest.Cumulative, highest.Signature, Sela.Zero, Sela.Zero)));
        AssertPays(7_000, Drain(payee));
        Assert.False(payee.TryServe(new Sela(1)));
    }

    [Fact]
    public void Adopt_watchtower_knows_more_than_a_rolled_back_payee_which_closes_with_it()
    {
        using PayeeChannel before = OpenPayee();
        Assert.True(before.Handle(Voucher(3, 6_000)));
        CloseEscrow escrow = before.ExportClose()!;
        Assert.Equal(970u, escrow.CloseBy);
        using PayeeChannel rolledBack = OpenPayee();
        Assert.True(rolledBack.Adopt(escrow));
        AssertPays(6_000, Drain(rolledBack));
        Assert.False(rolledBack.Adopt(escrow with { Cumulative = new Sela(6_001) }));
    }

    [Theory]
    [InlineData(500u, false)]
    [InlineData(984u, false)]
    [InlineData(985u, true)] // half the margin is left: now with whatever there is
    public void Close_just_started_with_a_watchtower_waits_for_its_answer(uint height, bool closes)
    {
        ChannelRecord rolledBack = OpenRecord(ChannelRole.Payee) with { Sequence = 1, Cumulative = new Sela(100), Voucher = Voucher(1, 100).Signature };
        using var payee = new PayeeChannel(rolledBack, Payee, Policy with { CountsOnlyEscrowed = true });
        Assert.True(payee.Handle(Hello));
        payee.Close();
        payee.Handle(Sight(height));
        Assert.Equal(closes ? [BroadcastKind.Close] : [], Drain(payee).Broadcasts());

        Assert.True(payee.Adopt(null));
        payee.Close();
        Assert.Equal(closes ? [] : [BroadcastKind.Close], Drain(payee).Broadcasts());
    }

    [Fact]
    public void Handle_close_that_names_more_than_is_known_asks_for_the_voucher_first()
    {
        using PayeeChannel payee = OpenPayee();
        Assert.True(payee.Handle(Voucher(1, 100)));
        Assert.True(payee.Handle(new CloseMessage(Funding.Id, new Sela(200))));
        Assert.Empty(Drain(payee).Broadcasts());
        Assert.True(payee.Handle(Voucher(2, 200)));
        Assert.True(payee.Handle(new CloseMessage(Funding.Id, new Sela(200))));
        AssertPays(200, Drain(payee));
    }

    [Fact]
    public void Check_every_broken_invariant_stops_the_channel()
    {
        ChannelRecord payer = OpenRecord(ChannelRole.Payer) with { Cumulative = new Sela(10), Voucher = Voucher(1, 10).Signature };
        ChannelRecord payee = OpenRecord(ChannelRole.Payee) with { Cumulative = new Sela(10), Voucher = Voucher(1, 10).Signature, Delivered = new Sela(4) };
        AssertBroken(payer with { Gate = default }, new BroadcastEffect(Funding.Id, default, BroadcastKind.Funding));
        AssertBroken(null, new BroadcastEffect(Funding.Id, default, BroadcastKind.Funding));
        AssertBroken(payer, new BroadcastEffect(Funding.Id, default, BroadcastKind.Close));
        AssertBroken(payer, new SendEffect(Voucher(2, 11)));
        AssertBroken(payee, new SendEffect(Voucher(1, 10)));
        AssertBroken(payee, new SendEffect(new AckMessage(Funding.Id, 2, new Sela(11))));
        AssertBroken(payee, new SendEffect(new CoSignedMessage(Funding.Id, new Sela(10), default)));
        AssertBroken(payee, new ServeEffect(new Sela(1), new Sela(5)));
        AssertBroken(payer, new PersistEffect(payer with { Cumulative = new Sela(9) }, 1));
        AssertBroken(payee, new PersistEffect(payee with { Delivered = new Sela(3) }, 1));
        AssertBroken(payee, new PersistEffect(payee with { Cumulative = Terms.Capacity + new Sela(1) }, 1));
        AssertBroken(null, new PersistEffect(payee with { Voucher = default }, 1));
        AssertBroken(payee with { State = ChannelState.Closed }, new PersistEffect(payee, 1));
        AssertBroken(payer, new PersistEffect(payer with { Terms = Terms with { LockHeight = 5 } }, 1));
        ChannelAudit.Check(payer, new SendEffect(Voucher(1, 10)));
        ChannelAudit.Check(payee, new SendEffect(new AckMessage(Funding.Id, 1, new Sela(10))));
    }

    private static PayerChannel OpenPayer() => new(OpenRecord(ChannelRole.Payer), Payer, Prepaying);

    private static PayeeChannel OpenPayee()
    {
        var payee = new PayeeChannel(OpenRecord(ChannelRole.Payee), Payee, Policy);
        Assert.True(payee.Handle(Hello));
        _ = Drain(payee);
        return payee;
    }

    private static void AssertPays(long cumulative, IEnumerable<ChannelEffect> effects)
    {
        BroadcastEffect close = Assert.Single(effects.OfType<BroadcastEffect>(), broadcast => broadcast.Kind == BroadcastKind.Close);
        Assert.Equal(Transactions.Close(new Sela(cumulative)).Id, close.Txid);
        Assert.Equal(Carrier.Chain.Transactions.TransactionReading.Read, Carrier.Chain.Transactions.Transaction.TryParse(close.Transaction.Span, out var transaction));
        Assert.True(transaction!.IsAuthorizedBy([Transactions.Script.ProgramHash]));
    }

    private static void AssertBroken(ChannelRecord? durable, ChannelEffect effect) =>
        Assert.Throws<ChannelInvariantException>(() => ChannelAudit.Check(durable, effect));
}
