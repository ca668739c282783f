using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Channels;

/// <summary>The paid end of a channel.</summary>
/// <remarks>
/// It signs gate and refund after it saw them whole, credits vouchers after the funding is buried, serves never further ahead of them than its window, and
/// closes with the highest in time: before the margin under L, at its threshold, or at the sight of a gate near L.
/// </remarks>
public sealed partial class PayeeChannel : ChannelSide
{
    private readonly PayeePolicy _policy;
    private readonly Queue<ServeEffect> _awaitingEscrow = new();
    private (ChannelSignature Voucher, Transaction Close)? _signedClose;
    private Sela _escrowed;
    private uint? _unfundedFrom;
    private bool _hasResumed;
    private bool _knowsTower;

    /// <summary>Goes on with a channel from the store.</summary>
    public PayeeChannel(ChannelRecord record, IChannelSigner key, PayeePolicy policy)
        : this(record, isDurable: true, key, policy) => Escrow();

    private PayeeChannel(ChannelRecord record, bool isDurable, IChannelSigner key, PayeePolicy policy)
        : base(record, isDurable, key)
    {
        ArgumentNullException.ThrowIfNull(policy);
        _policy = policy;
        _knowsTower = !policy.CountsOnlyEscrowed || !(isDurable || record.IsRestored);
    }

    /// <summary>How much more may be delivered now.</summary>
    public Sela Servable
    {
        get
        {
            Sela counted = _policy.CountsOnlyEscrowed ? _escrowed : Record.Cumulative;
            if (Record is not { State: ChannelState.Open, IsRestored: false } || !_hasResumed || (_policy.CountsOnlyEscrowed && counted.Value == 0))
            {
                return Sela.Zero;
            }

            long room = counted.Value + _policy.CreditWindow.Value - Record.Delivered.Value;
            return Sela.TryFrom(room, out Sela servable) ? servable : Sela.Zero;
        }
    }

    /// <summary>Judges a proposal and, if it is sound, makes the channel; its first effects write it down and then accept.</summary>
    /// <param name="open">As received.</param>
    /// <param name="key">The payee's key.</param>
    /// <param name="policy">What the payee takes and risks.</param>
    /// <param name="height">The tip's height.</param>
    /// <param name="isFunded">Whether the chain holds the funding transaction already: then this side knew the channel once and lost it. It takes the payer's
    /// highest voucher and closes, however near L is.</param>
    /// <param name="channel">The channel, when nothing is wrong.</param>
    public static ChannelRefusal TryAccept(OpenMessage open, IChannelSigner key, PayeePolicy policy, uint height, bool isFunded, out PayeeChannel? channel)
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentNullException.ThrowIfNull(key);
        channel = null;
        ChannelRefusal refusal = ChannelProposal.Judge(open, key.PublicKey, policy, isFunded ? null : height);
        if (refusal != ChannelRefusal.None)
        {
            return refusal;
        }

        var record = new ChannelRecord
        {
            Channel = open.Channel,
            Role = ChannelRole.Payee,
            Terms = open.Terms,
            State = ChannelState.Funding,
            Funding = open.Funding,
            IsRestored = isFunded,
        };
        channel = new PayeeChannel(record, isDurable: false, key, policy);
        channel.SendAccept();
        return ChannelRefusal.None;
    }

    /// <summary>Asks to deliver <paramref name="worth"/>; if the window has room, a <see cref="ServeEffect"/> follows once that is on disk.</summary>
    public bool TryServe(Sela worth)
    {
        if (worth.Value == 0 || worth > Servable)
        {
            return false;
        }

        Change(Record with { Delivered = Record.Delivered + worth });
        if (_policy.CountsOnlyEscrowed)
        {
            _awaitingEscrow.Enqueue(new ServeEffect(worth, Record.Delivered));
            Escrow();
        }
        else
        {
            Do(new ServeEffect(worth, Record.Delivered));
        }

        return true;
    }

    /// <summary>Ends the channel with the highest voucher. One that keeps its closes with a watchtower and just started asks that first: see <see cref="Adopt"/>.</summary>
    public void Close()
    {
        if (IsOver || Record.State == ChannelState.Closing || !_knowsTower)
        {
            return;
        }

        Change(Record with { State = ChannelState.Closing });
        Send(new CloseMessage(Record.Channel, Record.Cumulative));
        BroadcastClose();
    }

    public override void Connected() =>
        Send(new ResumeMessage(Record.Channel, Record.Sequence, Record.Cumulative, Record.Voucher, Record.Cumulative, Record.Delivered));

    public override bool Handle(ChannelMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (message.Channel != Record.Channel || IsOver)
        {
            return false;
        }

        switch (message)
        {
            case OpenMessage open when open.Terms == Record.Terms:
                SendAccept();
                return true;
            case VoucherMessage voucher:
                return HandleVoucher(voucher.Sequence, voucher.Cumulative, voucher.Signature);
            case ResumeMessage resume:
                return HandleResume(resume);
            case CooperativeCloseMessage last:
                return HandleCooperativeClose(last);
            case CloseMessage close:
                CloseUnlessBehind(close.Cumulative);
                return true;
            default:
                return false;
        }
    }

    public override void Handle(ChannelSight sight)
    {
        ArgumentNullException.ThrowIfNull(sight);
        if (IsOver)
        {
            return;
        }

        if (EndsWith(sight))
        {
            StopTaking();
            return;
        }

        bool isBuried = sight.FundingConfirmations >= _policy.Confirmations;
        if (Record.State == (isBuried ? ChannelState.Funding : ChannelState.Open))
        {
            // Also back again: a reorganisation took confirmations away, and nothing is credited until they are back.
            Change(Record with { State = isBuried ? ChannelState.Open : ChannelState.Funding });
        }

        if (MustClose(sight))
        {
            Close();
        }
        else if (Record.State == ChannelState.Closing && sight.Deposit.Stage == SpendStage.None && sight.FundingConfirmations > 0)
        {
            BroadcastClose();
        }
        else if (IsNeverFunded(sight))
        {
            End(ChannelState.Abandoned);
        }
    }

    /// <summary>Proposing costs nothing, so a proposal is not kept for a funding transaction that nobody sees. What a voucher was taken for is kept up to L: its
    /// funding was mined once, and may be again.</summary>
    private bool IsNeverFunded(ChannelSight sight)
    {
        if (sight.FundingConfirmations > 0 || sight.FundingIsPooled)
        {
            _unfundedFrom = null;
            return false;
        }

        _unfundedFrom ??= sight.Height;
        bool hasWaited = sight.Height >= _unfundedFrom + (ulong)ChannelLimits.FundingPatience;
        return sight.Height > Record.Terms.LockHeight || (hasWaited && Record.Voucher.IsNone);
    }

    /// <summary>The payer ends the channel. If it paid more than is known here, that voucher is asked for first.</summary>
    private void CloseUnlessBehind(Sela paid)
    {
        if (paid > Record.Cumulative)
        {
            Connected();
        }
        else
        {
            Close();
        }
    }

    private bool MustClose(ChannelSight sight)
    {
        ulong lockHeight = Record.Terms.LockHeight;
        // Just started, it may have been rolled back: the payer gets half the margin to say so, or an old close would be sent.
        ulong margin = _hasResumed ? _policy.CloseMargin : _policy.CloseMargin / 2;
        bool isLate = sight.Height + margin >= lockHeight;
        _knowsTower |= sight.Height + (ulong)(_policy.CloseMargin / 2) >= lockHeight;
        bool isAlarmed = _hasResumed && sight.Ticket.Stage != SpendStage.None && sight.Height + (ulong)_policy.GateAlarm >= lockHeight;
        bool isFull = _hasResumed && (Record.Cumulative >= _policy.CloseThreshold || Remaining.Value == 0);
        bool isRestored = _hasResumed && Record.IsRestored;
        return _knowsTower && Record.State is ChannelState.Open or ChannelState.Funding && (isLate || isAlarmed || isFull || isRestored);
    }

    /// <summary>Takes a voucher that is higher than any before; repeats the acknowledgement of one that is not.</summary>
    private bool HandleVoucher(ulong sequence, Sela cumulative, ChannelSignature signature)
    {
        if (cumulative <= Record.Cumulative)
        {
            Acknowledge();
            return true;
        }

        if (!TryTake(sequence, cumulative, signature))
        {
            return false;
        }

        Acknowledge();
        Escrow();
        return true;
    }

    private bool TryTake(ulong sequence, Sela cumulative, ChannelSignature signature)
    {
        if (Record.State is not (ChannelState.Open or ChannelState.Funding)
            || cumulative > Record.Terms.Capacity
            || !IsSignedByCounterpart(Transactions.Close(cumulative), signature))
        {
            return false;
        }

        Change(Record with { Sequence = sequence, Cumulative = cumulative, Voucher = signature });
        return true;
    }

    /// <summary>The payer's highest voucher, and how far it knows this side was. If this side does not know as much, it was rolled back and only closes.</summary>
    private bool HandleResume(ResumeMessage resume)
    {
        bool isRolledBack = resume.Acknowledged > Record.Cumulative || resume.Delivered > Record.Delivered;
        bool taken = resume.Cumulative <= Record.Cumulative || TryTake(resume.Sequence, resume.Cumulative, resume.Signature);
        _hasResumed = true;
        Acknowledge();
        Escrow();
        if (isRolledBack || Record.IsRestored)
        {
            Change(Record with { IsRestored = true });
            Close();
        }

        return taken;
    }

    /// <summary>The payer's last voucher: never less than the highest known here. Signed, written down, then sent and broadcast.</summary>
    private bool HandleCooperativeClose(CooperativeCloseMessage last)
    {
        if (!_hasResumed)
        {
            return false;
        }

        if (last.Cumulative < Record.Cumulative)
        {
            // The payer was rolled back. The proof of the highest voucher is the answer.
            Connected();
            return true;
        }

        if (last.Cumulative > Record.Cumulative && !TryTake(last.Sequence, last.Cumulative, last.Signature))
        {
            return false;
        }

        // Nothing was ever paid: there is no voucher, and the payer's signature on a close of zero is the first one seen.
        Transaction close = Transactions.Close(Record.Cumulative);
        if (!IsSignedByCounterpart(close, last.Signature))
        {
            return false;
        }

        ChannelSignature own = Sign(close);
        Change(Record with { State = ChannelState.Closing, Voucher = last.Signature, CoSigned = own });
        Send(new CoSignedMessage(Record.Channel, Record.Cumulative, own));
        BroadcastClose();
        return true;
    }

    private void StopTaking()
    {
        if (Record.State is ChannelState.Open or ChannelState.Funding)
        {
            Change(Record with { State = ChannelState.Closing });
        }
    }

    private void Acknowledge() =>
        DoLatest(LatestOnly.Ack, new SendEffect(new AckMessage(Record.Channel, Record.Sequence, Record.Cumulative)));

    /// <summary>Signed once for each voucher, however often it is broadcast.</summary>
    private Transaction SignedClose()
    {
        if (_signedClose is not { } signed || signed.Voucher != Record.Voucher)
        {
            Transaction close = Transactions.Close(Record.Cumulative);
            signed = (Record.Voucher, Transactions.WithSignatures(close, Record.Voucher, Sign(close)));
            _signedClose = signed;
        }

        return signed.Close;
    }

    private void BroadcastClose()
    {
        if (!Record.Voucher.IsNone)
        {
            Broadcast(BroadcastKind.Close, SignedClose());
        }
    }

    private void SendAccept() => Send(new AcceptMessage(Record.Channel, Sign(Transactions.Gate), Sign(Transactions.Refund)));
}
