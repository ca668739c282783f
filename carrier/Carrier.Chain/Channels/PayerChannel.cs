using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Channels;

/// <summary>The paying end of a channel.</summary>
/// <remarks>
/// It funds only with gate, refund and the payee's signatures on both on disk, pays never further ahead of what it received than its window, and takes its
/// deposit back through gate and refund when L passed without a close.
/// </remarks>
public sealed class PayerChannel : ChannelSide
{
    private readonly PayerPolicy _policy;
    private bool _isFundingFinal;

    /// <summary>Goes on with a channel from the store.</summary>
    public PayerChannel(ChannelRecord record, IChannelSigner key, PayerPolicy policy)
        : this(record, isDurable: true, key, policy)
    {
    }

    private PayerChannel(ChannelRecord record, bool isDurable, IChannelSigner key, PayerPolicy policy)
        : base(record, isDurable, key)
    {
        ArgumentNullException.ThrowIfNull(policy);
        _policy = policy;
    }

    /// <summary>Proposes a channel.</summary>
    /// <param name="terms">What is proposed.</param>
    /// <param name="funding">Signed by the wallet, its outputs 0 and 1 those of <see cref="ChannelTransactions.FundingOutputs"/>. It is not broadcast before the payee signed.</param>
    /// <param name="key">The payer's key.</param>
    /// <param name="policy">What the payer risks.</param>
    public static PayerChannel Propose(ChannelTerms terms, Transaction funding, IChannelSigner key, PayerPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(funding);
        ArgumentNullException.ThrowIfNull(policy);
        var record = new ChannelRecord
        {
            Channel = funding.Id,
            Role = ChannelRole.Payer,
            Terms = terms,
            State = ChannelState.Proposed,
            Funding = funding.Encode(),
            Window = policy.PrepaidWindow,
        };
        var channel = new PayerChannel(record, isDurable: false, key, policy);
        channel.SendOpen();
        return channel;
    }

    /// <summary>Goes on with nothing but the backup made when the channel was funded: it pays no more, and closes with what the payee can prove.</summary>
    public static PayerChannel Restore(ChannelRecord backup, IChannelSigner key, PayerPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(backup);
        return new PayerChannel(backup with { IsRestored = true }, isDurable: false, key, policy);
    }

    /// <summary>Pays <paramref name="amount"/> more: signs a voucher, which is sent once it is on disk.</summary>
    public PaymentRefusal TryPay(Sela amount)
    {
        if (amount.Value == 0)
        {
            return PaymentRefusal.Nothing;
        }

        if (Record.State != ChannelState.Open || Record.IsRestored)
        {
            return PaymentRefusal.NotOpen;
        }

        if (!Record.Cumulative.TryAdd(amount, out Sela cumulative) || cumulative > Record.Terms.Capacity)
        {
            return PaymentRefusal.OverCapacity;
        }

        Sela received = _policy.TakesReceipts ? Record.Acknowledged : Record.Delivered;
        if (cumulative.Value - received.Value > _policy.PrepaidWindow.Value)
        {
            return PaymentRefusal.OverWindow;
        }

        Change(Record with { Sequence = Record.Sequence + 1, Cumulative = cumulative, Voucher = Sign(Transactions.Close(cumulative)) });
        Send(new VoucherMessage(Record.Channel, Record.Sequence, cumulative, Record.Voucher));
        return PaymentRefusal.None;
    }

    /// <summary>Something worth <paramref name="worth"/> was received. It gives room in the window.</summary>
    public void Received(Sela worth)
    {
        if (Record.Delivered.TryAdd(worth, out Sela delivered))
        {
            Change(Record with { Delivered = delivered });
        }
    }

    /// <summary>Takes back a proposal nobody has accepted. Its coins never left, and an acceptance that comes later changes nothing.</summary>
    public void Withdraw()
    {
        if (Record.State == ChannelState.Proposed)
        {
            End(ChannelState.Abandoned);
        }
    }

    /// <summary>Ends the channel with what was paid: the payee is asked to sign the last voucher at once, so that both can broadcast it.</summary>
    public void Close()
    {
        if (Record.State is not (ChannelState.Open or ChannelState.Closing))
        {
            return;
        }

        Change(Record with { State = ChannelState.Closing });
        ChannelSignature signature = Record.Voucher.IsNone ? Sign(Transactions.Close(Record.Cumulative)) : Record.Voucher;
        Send(new CooperativeCloseMessage(Record.Channel, Record.Sequence, Record.Cumulative, signature));
    }

    public override void Connected()
    {
        switch (Record.State)
        {
            case ChannelState.Proposed:
                SendOpen();
                break;
            case ChannelState.Closing when !Record.IsRestored && Record.CoSigned.IsNone:
                SendResume();
                Close();
                break;
            default:
                SendResume();
                break;
        }
    }

    public override bool Handle(ChannelMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (message.Channel != Record.Channel || IsOver)
        {
            return false;
        }

        switch (message)
        {
            case AcceptMessage accept:
                return HandleAccept(accept);
            case RefuseMessage refuse when Record.State == ChannelState.Proposed:
                End(ChannelState.Abandoned, refuse.Reason);
                return true;
            case AckMessage ack when ack.Cumulative <= Record.Cumulative:
                Acknowledge(ack.Cumulative);
                return true;
            case CloseMessage:
                Change(Record with { State = Record.State == ChannelState.Open ? ChannelState.Closing : Record.State });
                return true;
            case CoSignedMessage coSigned:
                return HandleCoSigned(coSigned);
            case ResumeMessage resume:
                return HandleResume(resume);
            case UnknownMessage when Record.State is not ChannelState.Proposed:
                // The payee lost its record. It gets the whole proposal again, then the highest voucher.
                SendOpen();
                return true;
            default:
                return false;
        }
    }

    public override void Handle(ChannelSight sight)
    {
        ArgumentNullException.ThrowIfNull(sight);
        if (IsOver || Record.State == ChannelState.Proposed || EndsWith(sight))
        {
            return;
        }

        if (sight.FundingConfirmations == 0 && !sight.FundingIsPooled)
        {
            BroadcastFunding();
        }

        if (sight.FundingConfirmations > 0 && Record.State == ChannelState.Funding)
        {
            Change(Record with { State = ChannelState.Open });
        }

        _isFundingFinal = sight.FundingConfirmations >= ChannelLimits.FinalConfirmations;
        if (!Record.CoSigned.IsNone && sight.Deposit.Stage == SpendStage.None && sight.FundingConfirmations > 0)
        {
            BroadcastClose();
        }
        else if (sight.Height >= Record.Terms.LockHeight && _isFundingFinal)
        {
            TakeBack(sight);
        }
    }

    private bool HandleAccept(AcceptMessage accept)
    {
        if (Record.State != ChannelState.Proposed
            || !IsSignedByCounterpart(Transactions.Gate, accept.Gate)
            || !IsSignedByCounterpart(Transactions.Refund, accept.Refund))
        {
            // An accept of a channel that is funded already: the payee had lost it, and has it again.
            bool isAgain = Record.State is ChannelState.Funding or ChannelState.Open or ChannelState.Closing;
            if (isAgain)
            {
                SendResume();
            }

            return isAgain;
        }

        Change(Record with { State = ChannelState.Funding, Gate = accept.Gate, Refund = accept.Refund });
        BroadcastFunding();
        SendResume();
        return true;
    }

    private bool HandleCoSigned(CoSignedMessage coSigned)
    {
        if (Record.State != ChannelState.Closing || coSigned.Cumulative != Record.Cumulative
            || !IsSignedByCounterpart(Transactions.Close(coSigned.Cumulative), coSigned.Signature))
        {
            return false;
        }

        Change(Record with { CoSigned = coSigned.Signature });
        BroadcastClose();
        return true;
    }

    /// <summary>The payee's highest voucher. If it is higher than any known here, this side was rolled back: the payee's proof rules, and the channel ends.</summary>
    private bool HandleResume(ResumeMessage resume)
    {
        if (resume.Cumulative > Record.Terms.Capacity)
        {
            return false;
        }

        if (resume.Cumulative <= Record.Cumulative)
        {
            if (Record.State == ChannelState.Proposed)
            {
                SendOpen(); // it has accepted, and the answer was lost: it answers again
                return true;
            }

            Acknowledge(resume.Cumulative);
            if (resume.Cumulative < Record.Cumulative && Record.State == ChannelState.Open)
            {
                Send(new VoucherMessage(Record.Channel, Record.Sequence, Record.Cumulative, Record.Voucher));
            }

            return true;
        }

        // Only this side's own signature proves it; whether the key made it is asked of the key's public half.
        Transaction close = Transactions.Close(resume.Cumulative);
        using var own = new P256Verifier(Record.Terms.Payer);
        if (!own.Verify(close.EncodeUnsigned(), resume.Signature))
        {
            return false;
        }

        Change(Record with
        {
            IsRestored = true,
            State = Record.State is ChannelState.Open or ChannelState.Funding ? ChannelState.Closing : Record.State,
            Sequence = Math.Max(resume.Sequence, Record.Sequence + 1),
            Cumulative = resume.Cumulative,
            Voucher = resume.Signature,
        });
        Send(new CloseMessage(Record.Channel, Record.Cumulative));
        return true;
    }

    private void Acknowledge(Sela cumulative)
    {
        if (cumulative > Record.Acknowledged)
        {
            Change(Record with { Acknowledged = cumulative });
        }
    }

    /// <summary>L has passed: the gate, and once it is mined the refund. A close that is in a pool already wins over both.</summary>
    private void TakeBack(ChannelSight sight)
    {
        Change(Record with { State = ChannelState.Refunding });
        if (sight.Ticket.Stage == SpendStage.None)
        {
            Broadcast(BroadcastKind.Gate, Transactions.WithSignatures(Transactions.Gate, Sign(Transactions.Gate), Record.Gate));
        }
        else if (sight.Ticket is { Stage: SpendStage.Mined } && sight.Deposit.Stage == SpendStage.None)
        {
            Broadcast(BroadcastKind.Refund, Transactions.RefundWithSignatures(Sign(Transactions.Refund), Record.Refund));
        }
    }

    private void BroadcastFunding() => Do(new BroadcastEffect(Record.Channel, Record.Funding, BroadcastKind.Funding));

    private void BroadcastClose()
    {
        Transaction close = Transactions.Close(Record.Cumulative);
        Broadcast(BroadcastKind.Close, Transactions.WithSignatures(close, Sign(close), Record.CoSigned));
    }

    private void SendOpen()
    {
        _ = Transaction.TryParse(Record.Funding.Span, out Transaction? funding);
        Send(new OpenMessage(
            Record.Channel, Record.Terms, (funding! with { Programs = [] }).Encode(), Transactions.Gate.Encode(), Transactions.Refund.Encode()));
    }

    private void SendResume() =>
        Send(new ResumeMessage(Record.Channel, Record.Sequence, Record.Cumulative, Record.Voucher, Record.Acknowledged, Record.Delivered));
}
