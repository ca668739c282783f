using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Simulation.Channels;

/// <summary>One channel between two shipped machines over the devnet's ledger, through everything a <see cref="ChannelSchedule"/> has in store.</summary>
public sealed class ChannelWorld : IDisposable
{
    private const int StepsPerBlock = 4;
    private const int StepsBetweenReconnects = 12;
    private const int MaxDelaySteps = 4;
    private const long CoinValue = 1_000_000;
    private const long FundingFee = 1_000;

    /// <summary>Blocks after L in which everything has to be settled, absences and reorganisations included.</summary>
    private const uint SettlingBlocks = 60;

    private static readonly P256Signer PayerKey = SignerOf(1);
    private static readonly P256Signer PayeeKey = SignerOf(2);

    private readonly ChannelSchedule _schedule;
    private readonly SimulatedChain _chain;
    private readonly SimulatedSide<PayerChannel> _payer = new();
    private readonly SimulatedSide<PayeeChannel> _payee = new();
    private readonly List<(int Step, bool ToPayee, byte[] Message)> _mail = [];
    private readonly ChannelTerms _terms;
    private readonly Transaction _funding;
    private readonly PayerPolicy _payerPolicy;
    private readonly PayeePolicy _payeePolicy;
    private readonly Adversary _adversary;
    private CloseEscrow? _tower;
    private long _served;
    private int _step;
    private int _dangerLeft = ChannelSchedule.DangerBudget;

    public ChannelWorld(ChannelSchedule schedule)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        _schedule = schedule;
        ProgramHash payer = ProgramHash.FromTrustId(PayerKey.PublicKey.TrustId);
        _chain = new SimulatedChain([new TransactionOutput(new Sela(CoinValue), payer)]);
        _terms = new ChannelTerms(PayerKey.PublicKey, PayeeKey.PublicKey, new Sela(200_000), new Sela(1_000), _chain.Height + schedule.Lifetime + 1);
        _funding = Spend(_terms, [.. ChannelTransactions.FundingOutputs(_terms)]);
        _payerPolicy = new PayerPolicy { PrepaidWindow = schedule.PayerWindow };
        _payeePolicy = new PayeePolicy
        {
            MinDeposit = new Sela(1_000),
            CreditWindow = schedule.PayeeWindow,
            CloseThreshold = schedule.CloseThreshold,
            CountsOnlyEscrowed = schedule.HasWatchtower,
        };
        _adversary = new Adversary(schedule, _chain, new ChannelTransactions(_terms, _funding.Id), PayerKey, PayeeKey, Spend(_terms, []));
    }

    /// <summary>Runs the schedule to its end.</summary>
    public ChannelOutcome Run()
    {
        _payer.Machine = PayerChannel.Propose(_terms, _funding, PayerKey, _payerPolicy);
        uint end = _terms.LockHeight + SettlingBlocks;
        while (_chain.Height < end && !(IsFinished(_payer) && IsFinished(_payee)))
        {
            for (int i = 0; i < StepsPerBlock; i++)
            {
                Step();
            }

            NextBlock();
        }

        return Judge();
    }

    public void Dispose()
    {
        _payer.Machine?.Dispose();
        _payee.Machine?.Dispose();
        _chain.Dispose();
    }

    private static ChannelEnding EndingOf(ChannelSight sight, ChannelTransactions transactions) =>
        sight.FundingConfirmations == 0 ? ChannelEnding.NeverFunded
        : sight.Deposit.Stage != SpendStage.Mined ? ChannelEnding.Stuck
        : sight.Deposit.Txid == transactions.Refund.Id ? ChannelEnding.Refunded
        : ChannelEnding.Closed;

    private static bool IsFinished<T>(SimulatedSide<T> side)
        where T : ChannelSide => side.Machine is { IsOver: true };

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

    /// <summary>Spends the payer's one coin: to a channel, or, with no outputs, back to itself.</summary>
    private Transaction Spend(ChannelTerms terms, List<TransactionOutput> outputs)
    {
        long rest = CoinValue - FundingFee - outputs.Sum(output => output.Value.Value);
        outputs.Add(new TransactionOutput(new Sela(rest), ProgramHash.FromTrustId(terms.Payer.TrustId)));
        var unsigned = new Transaction { Inputs = [new TransactionInput(new OutPoint(_chain.Genesis, 0))], Outputs = [.. outputs] };
        return unsigned.WithPrograms(RedeemScript.Standard(terms.Payer).Program(PayerKey.Sign(unsigned.EncodeUnsigned()).Span.ToArray()));
    }

    private void Step()
    {
        _step++;
        Revive();
        if (_step % StepsBetweenReconnects == 0)
        {
            Connect();
        }

        Deliver();
        Trade();
        _adversary.Act(_payer.Machine, _payee.Machine, SendRaw);
        Run(_payer, toPayee: true);
        Run(_payee, toPayee: false);
        Crash();
        if (_schedule.Happens(_schedule.PoolLossChance))
        {
            _chain.Ledger.ClearPool();
        }

        Look();
    }

    private void Run<T>(SimulatedSide<T> side, bool toPayee)
        where T : ChannelSide
    {
        if (side.IsUp)
        {
            side.Run(_schedule, effect => Perform(effect, toPayee));
        }
    }

    private void Perform(ChannelEffect effect, bool toPayee)
    {
        switch (effect)
        {
            case SendEffect send when _adversary.LetsOut(send.Message, fromPayer: toPayee):
                SendRaw(send.Message, toPayee);
                break;
            case BroadcastEffect broadcast when _adversary.LetsOut(broadcast, fromPayer: toPayee):
                _ = _chain.Submit(broadcast.Transaction);
                break;
            case ServeEffect serve when _payer.IsUp && _payer.Machine is not null:
                _served += serve.Worth.Value;
                _payer.Machine.Received(serve.Worth);
                break;
            case EscrowEffect escrow:
                _tower = escrow.Close;
                _payee.Machine?.Escrowed(escrow.Close);
                break;
        }
    }

    private void SendRaw(ChannelMessage message, bool toPayee)
    {
        if (_schedule.Happens(_schedule.MessageLoss))
        {
            return;
        }

        byte[] bytes = new byte[ChannelLimits.MaxMessageBytes];
        int length = ChannelCodec.Write(message, bytes);
        _mail.Add((_step + _schedule.Random.NextInt32(MaxDelaySteps), toPayee, bytes[..length]));
    }

    private void Deliver()
    {
        (int Step, bool ToPayee, byte[] Message)[] due = [.. _mail.Where(mail => mail.Step <= _step)];
        _ = _mail.RemoveAll(mail => mail.Step <= _step);
        foreach ((_, bool toPayee, byte[] bytes) in due)
        {
            if (!ChannelCodec.TryRead(bytes, out ChannelMessage? message))
            {
                throw new InvalidOperationException("A side sent what cannot be read.");
            }

            if (toPayee && _payee.IsUp)
            {
                DeliverToPayee(message);
            }
            else if (!toPayee && _payer.IsUp)
            {
                _ = _payer.Machine?.Handle(message);
            }
        }
    }

    /// <summary>The payee's shell: a proposal makes a machine, and of a channel not known it says so.</summary>
    private void DeliverToPayee(ChannelMessage message)
    {
        if (_payee.Machine is not null)
        {
            _ = _payee.Machine.Handle(message);
        }
        else if (message is OpenMessage open)
        {
            ChannelSight sight = _chain.Sight(new ChannelTransactions(_terms, open.Channel));
            ChannelRefusal refusal = PayeeChannel.TryAccept(open, PayeeKey, _payeePolicy, _chain.Height, sight.FundingConfirmations > 0, out PayeeChannel? machine);
            _payee.Machine = machine;
            _ = machine?.Adopt(_tower);
            if (refusal != ChannelRefusal.None)
            {
                SendRaw(new RefuseMessage(open.Channel, refusal), toPayee: false);
            }
        }
        else
        {
            SendRaw(new UnknownMessage(message.Channel), toPayee: false);
        }
    }

    /// <summary>The applications: one pays and ends it, the other serves.</summary>
    private void Trade()
    {
        if (_payer is { IsUp: true, Machine: { } payer })
        {
            if (_adversary.Pays && _schedule.Random.NextInt32(3) == 0)
            {
                _ = payer.TryPay(new Sela(1 + _schedule.Random.NextInt32(4_000)));
            }

            if (_schedule.CooperativeCloseAt is { } at && _chain.Height >= at && _schedule.Random.NextInt32(8) == 0)
            {
                payer.Close();
            }
        }

        if (_payee is { IsUp: true, Machine: { } payee } && _payer is { IsUp: true, Machine: not null } && _adversary.Serves)
        {
            long worth = Math.Min(payee.Servable.Value, 1 + _schedule.Random.NextInt32(4_000));
            if (worth > 0)
            {
                _ = payee.TryServe(new Sela(worth));
            }
        }
    }

    private void Crash()
    {
        bool losesState = _schedule.LosesDatabase || _schedule.RestoresOldDatabase;
        if (_payer.IsUp && (!losesState || _schedule.LosingSide == ChannelRole.Payer) && _schedule.Happens(_schedule.CrashChance))
        {
            Kill(_payer, ChannelRole.Payer);
        }

        if (_payee.IsUp && (!losesState || _schedule.LosingSide == ChannelRole.Payee) && (!InDanger || _dangerLeft > 0) && _schedule.Happens(_schedule.CrashChance))
        {
            Kill(_payee, ChannelRole.Payee);
        }
    }

    private void Kill<T>(SimulatedSide<T> side, ChannelRole role)
        where T : ChannelSide
    {
        side.Kill(_schedule, 1 + _schedule.Random.NextInt32(ChannelSchedule.MaxAbsence * StepsPerBlock));
        _ = _mail.RemoveAll(mail => mail.ToPayee == (role == ChannelRole.Payee));
        if (_schedule.LosingSide != role)
        {
            return;
        }

        if (_schedule.LosesDatabase && _schedule.Random.NextInt32(3) == 0)
        {
            side.Disk.Lose();
        }
        else if (_schedule.RestoresOldDatabase && _schedule.Random.NextInt32(3) == 0)
        {
            side.Disk.RollBack(_schedule.Random);
        }
    }

    private void Revive()
    {
        bool isEndOfBudget = InDanger && _dangerLeft <= 0;
        while (isEndOfBudget && _payee.DownFor > 1)
        {
            _ = _payee.Revives();
        }

        if (_payer.Revives())
        {
            ChannelRecord? record = _payer.Disk.Current;
            _payer.Machine = record is not null ? new PayerChannel(record, PayerKey, _payerPolicy)
                : _payer.Disk.Backup is { } backup ? PayerChannel.Restore(backup, PayerKey, _payerPolicy)
                : null;
            Connect();
        }

        if (_payee.Revives())
        {
            if (_payee.Disk.Current is { } record)
            {
                _payee.Machine = new PayeeChannel(record, PayeeKey, _payeePolicy);
                _ = _payee.Machine.Adopt(_tower);
            }

            Connect();
        }
    }

    private void Connect()
    {
        if (_payer.IsUp && _payee.IsUp)
        {
            _payer.Machine?.Connected();
            _payee.Machine?.Connected();
        }
    }

    private void Look()
    {
        if (_payer is { IsUp: true, Machine: { } payer })
        {
            payer.Handle(_chain.Sight(payer.Transactions));
        }

        if (_payee is { IsUp: true, Machine: { } payee })
        {
            payee.Handle(_chain.Sight(payee.Transactions));
        }
    }

    private bool InDanger => _chain.Height + ChannelSchedule.DangerZone >= _terms.LockHeight && _chain.Height <= _terms.LockHeight + ChannelSchedule.DangerZone;

    private void NextBlock()
    {
        WatchFromTheTower();
        bool mayHarm = !InDanger || _dangerLeft > 0;
        bool isHostile = _schedule.Hostile != HostileSide.Nobody && mayHarm
            && _chain.Height >= _schedule.MinerStreakFrom && _chain.Height < _schedule.MinerStreakFrom + _schedule.MinerStreak;
        if (isHostile)
        {
            _chain.MineOnly(_adversary.Wanted(_payer.Machine));
        }
        else if (_schedule.Happens(_schedule.ReorganisationChance))
        {
            _chain.Reorganise(1 + _schedule.Random.NextInt32(ChannelSchedule.MaxReorganisation), _schedule.Random);
        }
        else
        {
            _chain.MineHonestly();
        }

        if (InDanger && (isHostile || !_payee.IsUp))
        {
            _dangerLeft--;
        }
    }

    private void WatchFromTheTower()
    {
        if (_tower is { } close && _chain.Height >= close.CloseBy && _schedule.HasWatchtower)
        {
            _ = _chain.Submit(close.Transaction);
        }
    }

    private ChannelOutcome Judge()
    {
        long payer = _chain.Balance(ProgramHash.FromTrustId(_terms.Payer.TrustId));
        long paid = _chain.Balance(ProgramHash.FromTrustId(_terms.Payee.TrustId));
        var transactions = new ChannelTransactions(_terms, _funding.Id);
        ChannelSight sight = _chain.Sight(transactions);
        long fees = FundingFee + _terms.Ticket.Value + _terms.Fee.Value;
        return new ChannelOutcome(
            CoinValue - payer - _served,
            _payerPolicy.PrepaidWindow.Value + fees,
            _served - paid,
            _payeePolicy.CreditWindow.Value,
            paid,
            _served,
            EndingOf(sight, transactions),
            _schedule.Hostile);
    }
}
