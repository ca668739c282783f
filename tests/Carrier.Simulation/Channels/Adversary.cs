using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Simulation.Channels;

/// <summary>The hostile side's hand: it runs the shipped machine for what is worth playing along, and does all it can beside it.</summary>
/// <remarks>
/// A hostile payer holds the payee's signatures on gate and refund, its own key and a second spend of its coin. A hostile payee holds every voucher it ever
/// got. Either has a miner. What they cannot have is the other's signature on anything else.
/// </remarks>
internal sealed class Adversary
{
    private readonly ChannelSchedule _schedule;
    private readonly SimulatedChain _chain;
    private readonly ChannelTransactions _channel;
    private readonly P256Signer _payer;
    private readonly P256Signer _payee;
    private readonly Transaction _doubleSpend;
    private readonly List<VoucherMessage> _vouchers = [];
    private readonly double _cooperation;
    private readonly uint _turnsAt;
    private ChannelRecord? _accepted;
    private Transaction[]? _takingBack;
    private ResumeMessage? _claim;
    private Transaction? _naiveRefund;

    public Adversary(ChannelSchedule schedule, SimulatedChain chain, ChannelTransactions channel, P256Signer payer, P256Signer payee, Transaction doubleSpend)
    {
        _schedule = schedule;
        _chain = chain;
        _channel = channel;
        _payer = payer;
        _payee = payee;
        _doubleSpend = doubleSpend;
        _cooperation = schedule.Random.NextFraction();
        _turnsAt = (uint)schedule.Random.NextInt32((int)schedule.Lifetime);
    }

    /// <summary>Whether the payer goes on paying.</summary>
    public bool Pays => _schedule.Hostile != HostileSide.Payer || !HasTurned;

    /// <summary>Whether the payee goes on serving.</summary>
    public bool Serves => _schedule.Hostile != HostileSide.Payee || !HasTurned;

    private bool HasTurned => _chain.Height >= _turnsAt;

    /// <summary>Whether the hostile side lets its own machine say this.</summary>
    public bool LetsOut(ChannelMessage message, bool fromPayer)
    {
        if (fromPayer && message is VoucherMessage voucher)
        {
            _vouchers.Add(voucher);
        }

        return !IsHostile(fromPayer) || !HasTurned || _schedule.Random.NextFraction() < _cooperation;
    }

    /// <summary>Whether the hostile side lets its own machine broadcast this.</summary>
    public bool LetsOut(BroadcastEffect broadcast, bool fromPayer) =>
        !IsHostile(fromPayer) || broadcast.Kind is BroadcastKind.Funding || _schedule.Random.NextFraction() < _cooperation;

    /// <summary>One step of harm.</summary>
    public void Act(PayerChannel? payer, PayeeChannel? payee, Action<ChannelMessage, bool> send)
    {
        if (_schedule.Hostile == HostileSide.Payer)
        {
            ActAsPayer(payer, send);
        }
        else if (_schedule.Hostile == HostileSide.Payee && payee is not null)
        {
            ActAsPayee(payee, send);
        }
    }

    /// <summary>What the hostile miner puts into its block, in this order, if it fits.</summary>
    public IEnumerable<Transaction> Wanted(PayerChannel? payer)
    {
        if (_schedule.Hostile == HostileSide.Payer)
        {
            Remember(payer);
            return [_doubleSpend, .. Naive(), .. TakingBack()];
        }

        return Closes().Take(1);
    }

    private ResumeMessage ClaimAll()
    {
        Sela all = _channel.Terms.Capacity;
        return new ResumeMessage(_channel.Funding, ulong.MaxValue, all, _payee.Sign(_channel.Close(all).EncodeUnsigned()), all, all);
    }

    private bool IsHostile(bool fromPayer) => _schedule.Hostile == (fromPayer ? HostileSide.Payer : HostileSide.Payee);

    private void ActAsPayer(PayerChannel? payer, Action<ChannelMessage, bool> send)
    {
        Remember(payer);
        foreach (Transaction transaction in Naive())
        {
            _ = _chain.Ledger.Submit(transaction);
        }

        switch (_schedule.Random.NextInt32(8))
        {
            case 0: // pins what it can, long before L and after
            case 1:
                foreach (Transaction transaction in TakingBack())
                {
                    _ = _chain.Ledger.Submit(transaction);
                }

                break;
            case 2:
                if (HasTurned)
                {
                    _ = _chain.Ledger.Submit(_doubleSpend);
                }

                break;
            case 3 when _vouchers.Count > 0: // an old state, as if it were the newest
                VoucherMessage old = _vouchers[_schedule.Random.NextInt32(_vouchers.Count)];
                send(new ResumeMessage(old.Channel, old.Sequence, old.Cumulative, old.Signature, Sela.Zero, Sela.Zero), true);
                break;
            case 4 when _vouchers.Count > 0: // a signature over another amount
                VoucherMessage some = _vouchers[^1];
                send(some with { Cumulative = new Sela(Math.Min(some.Cumulative.Value + 1, _channel.Terms.Capacity.Value)) }, true);
                break;
            case 5 when _vouchers.Count > 0 && HasTurned: // an end below what was paid
                VoucherMessage less = _vouchers[_schedule.Random.NextInt32(_vouchers.Count)];
                send(new CooperativeCloseMessage(less.Channel, less.Sequence, less.Cumulative, less.Signature), true);
                break;
        }
    }

    private void ActAsPayee(PayeeChannel payee, Action<ChannelMessage, bool> send)
    {
        switch (_schedule.Random.NextInt32(8))
        {
            case 0 when HasTurned: // any old state, before L or after
                foreach (Transaction close in Closes().Take(1))
                {
                    _ = _chain.Ledger.Submit(close);
                }

                break;
            case 1 when _vouchers.Count > 0: // hides the newest voucher
                VoucherMessage old = _vouchers[_schedule.Random.NextInt32(_vouchers.Count)];
                send(new ResumeMessage(old.Channel, old.Sequence, old.Cumulative, old.Signature, old.Cumulative, Sela.Zero), false);
                break;
            case 2: // claims what was never signed
                send(_claim ??= ClaimAll(), false);
                break;
            case 3:
                send(new AckMessage(_channel.Funding, ulong.MaxValue, _channel.Terms.Capacity), false);
                break;
            case 4 when HasTurned:
                send(new CoSignedMessage(_channel.Funding, payee.Record.Cumulative, payee.Record.Voucher), false);
                break;
            case 5:
                send(new UnknownMessage(_channel.Funding), false);
                break;
        }
    }

    /// <summary>Keeps the payee's signatures whatever becomes of the machine's disk.</summary>
    private void Remember(PayerChannel? payer)
    {
        if (_accepted is null && payer is { Record.Gate.IsNone: false })
        {
            _accepted = payer.Record;
            if (_schedule.Form == RefundForm.Naive)
            {
                _naiveRefund = SignNaiveRefund();
            }
        }
    }

    private IEnumerable<Transaction> Naive() => _naiveRefund is null ? [] : [_naiveRefund];

    private IEnumerable<Transaction> TakingBack() =>
        _accepted is null || _schedule.Form == RefundForm.Naive
            ? []
            : _takingBack ??= [
                _channel.WithSignatures(_channel.Gate, _payer.Sign(_channel.Gate.EncodeUnsigned()), _accepted.Gate),
                _channel.RefundWithSignatures(_payer.Sign(_channel.Refund.EncodeUnsigned()), _accepted.Refund),
            ];

    /// <summary>A close of some voucher, completed by the payee.</summary>
    private IEnumerable<Transaction> Closes()
    {
        if (_vouchers.Count > 0)
        {
            VoucherMessage voucher = _vouchers[_schedule.Random.NextInt32(_vouchers.Count)];
            Transaction close = _channel.Close(voucher.Cumulative);
            yield return _channel.WithSignatures(close, voucher.Signature, _payee.Sign(close.EncodeUnsigned()));
        }
    }

    /// <summary>The textbook's refund, which the payee of a naive channel signs at the start: the deposit back to the payer, locked to L and to nothing else.</summary>
    private Transaction SignNaiveRefund()
    {
        var refund = new Transaction
        {
            Inputs = [new TransactionInput(_channel.Deposit, Finality.LockedSequence)],
            Outputs = [new TransactionOutput(_channel.Terms.Capacity, ProgramHash.FromTrustId(_channel.Terms.Payer.TrustId))],
            LockTime = _channel.Terms.LockHeight,
        };
        byte[] unsigned = refund.EncodeUnsigned();
        return _channel.WithSignatures(refund, _payer.Sign(unsigned), _payee.Sign(unsigned));
    }
}
