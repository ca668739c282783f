using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Devnet.Ledger;

/// <summary>Who owns what, and what waits: coins, mined transactions and the memory pool, with the real node's rules and verdicts. Pure; knows heights, no headers.</summary>
/// <remarks>
/// What surprises: a transaction that is not final yet waits in the pool and keeps its inputs busy; nothing in the pool is ever replaced; a child of a
/// transaction in the pool is refused.
/// </remarks>
public sealed class TransactionLedger : IDisposable
{
    /// <summary>The least fee, in Sela, whatever the size.</summary>
    public const long MinFee = 100;

    /// <summary>Blocks a coinbase output matures.</summary>
    public const uint CoinBaseMaturity = 100;

    private readonly Dictionary<OutPoint, Coin> _coins = [];
    private readonly Dictionary<Hash256, MinedTransaction> _mined = [];
    private readonly Dictionary<OutPoint, MinedTransaction> _spenders = [];
    private readonly List<LedgerBlock> _blocks = [];
    private readonly OrderedDictionary<Hash256, Transaction> _pool = [];
    private readonly Dictionary<OutPoint, Hash256> _poolSpends = [];
    private readonly ProgramJudge _programs = new();

    /// <summary>The tip's height; nothing may be asked before the block at height 0 is connected.</summary>
    public uint Height => (uint)(_blocks.Count - 1);

    /// <summary>The unspent outputs.</summary>
    public IReadOnlyDictionary<OutPoint, Coin> Coins => _coins;

    /// <summary>The pool, in order of arrival.</summary>
    public IReadOnlyDictionary<Hash256, Transaction> Pool => _pool;

    /// <summary>Raised with every transaction that the pool takes.</summary>
    public event Action<Transaction>? Pooled;

    /// <summary>The transactions of the block at <paramref name="height"/>.</summary>
    public IReadOnlyList<Transaction> TransactionsAt(uint height) => _blocks[(int)height].Transactions;

    public bool TryFindMined(Hash256 id, out MinedTransaction mined) => _mined.TryGetValue(id, out mined);

    /// <summary>Who in the pool spends <paramref name="outPoint"/>.</summary>
    public bool TryFindPoolSpender(OutPoint outPoint, out Hash256 spender) => _poolSpends.TryGetValue(outPoint, out spender);

    /// <summary>Who in the chain spends <paramref name="outPoint"/>.</summary>
    public bool TryFindMinedSpender(OutPoint outPoint, out MinedTransaction spender) => _spenders.TryGetValue(outPoint, out spender);

    /// <summary>Takes a transaction into the pool, or says why not.</summary>
    public Verdict Submit(Transaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        Verdict verdict = JudgeAlone(transaction);
        verdict = verdict.IsAccepted ? JudgeAgainstCoins(transaction) : verdict;
        if (!verdict.IsAccepted)
        {
            return verdict;
        }

        foreach (TransactionInput input in transaction.Inputs)
        {
            if (_poolSpends.ContainsKey(input.Previous))
            {
                return Verdicts.PoolConflict(input.Previous);
            }
        }

        AddToPool(transaction);
        Pooled?.Invoke(transaction);
        return Verdict.Accepted;
    }

    /// <summary>What a miner of the next block may take from the pool, in order of arrival.</summary>
    public IReadOnlyList<Transaction> Mineable() => [.. _pool.Values.Where(transaction => Finality.IsFinalAt(transaction, Height + 1))];

    /// <summary>What a transaction pays the miner. Its parents must be mined or be coins.</summary>
    public Sela FeeOf(Transaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        Sela total = Sela.Zero;
        foreach (TransactionInput input in transaction.Inputs)
        {
            total += _mined[input.Previous.TransactionId].Transaction.Outputs[input.Previous.Index].Value;
        }

        return total - transaction.OutputTotal;
    }

    /// <summary>Judges a block's transactions and, if all are sound, makes them the next block. The first is the coinbase, whose amount is the chain's matter.</summary>
    /// <param name="transactions">In order; one may spend an earlier one's outputs.</param>
    public Verdict Connect(IReadOnlyList<Transaction> transactions)
    {
        ArgumentNullException.ThrowIfNull(transactions);
        uint height = (uint)_blocks.Count;
        var undo = new LedgerBlock([.. transactions], []);
        foreach (Transaction transaction in transactions)
        {
            Verdict verdict = transaction.IsCoinBase || height == 0 ? Verdict.Accepted : JudgeForBlock(transaction, height);
            if (!verdict.IsAccepted)
            {
                Revert(undo);
                return verdict;
            }

            Apply(transaction, height, undo);
        }

        _blocks.Add(undo);
        foreach (Transaction transaction in transactions)
        {
            DropFromPool(transaction);
        }

        return Verdict.Accepted;
    }

    /// <summary>Takes the tip off. Its transactions are not put back into the pool: who wants that submits them again after the new branch is connected.</summary>
    public IReadOnlyList<Transaction> Disconnect()
    {
        LedgerBlock tip = _blocks[^1];
        _blocks.RemoveAt(_blocks.Count - 1);
        Revert(tip);
        RefreshPool();
        return tip.Transactions;
    }

    /// <summary>Forgets the pool, as a node does that restarts.</summary>
    public void ClearPool()
    {
        _pool.Clear();
        _poolSpends.Clear();
    }

    public void Dispose() => _programs.Dispose();

    private Verdict JudgeAlone(Transaction transaction)
    {
        if (transaction.IsCoinBase)
        {
            return Verdicts.CoinBase;
        }

        if (_pool.ContainsKey(transaction.Id) || _mined.ContainsKey(transaction.Id))
        {
            return Verdicts.AlreadyExists;
        }

        if (transaction.Inputs.IsEmpty)
        {
            return Verdicts.Input("transaction has no inputs");
        }

        if (transaction.Inputs.Select(input => input.Previous).Distinct().Count() != transaction.Inputs.Length)
        {
            return Verdicts.Input("duplicated transaction inputs");
        }

        if (transaction.Outputs.IsEmpty)
        {
            return Verdicts.Output("transaction has no outputs");
        }

        if (transaction.Outputs.Any(output => output.Asset != TransactionOutput.Ela))
        {
            return Verdicts.Output("asset ID in output is invalid");
        }

        if (transaction.Outputs.Any(output => !Enum.IsDefined(output.Owner.Prefix) || output.Owner.Prefix == AddressPrefix.Did))
        {
            return Verdicts.Output("invalid program hash prefix");
        }

        return transaction.Programs.IsEmpty ? Verdicts.NoPrograms : Verdict.Accepted;
    }

    private Verdict JudgeAgainstCoins(Transaction transaction)
    {
        if (!transaction.Inputs.All(input => Exists(input.Previous)))
        {
            return Verdicts.UnknownParent;
        }

        var spent = new List<Coin>(transaction.Inputs.Length);
        foreach (TransactionInput input in transaction.Inputs)
        {
            if (!_coins.TryGetValue(input.Previous, out Coin coin))
            {
                return Verdicts.DoubleSpend;
            }

            spent.Add(coin);
            Verdict verdict = JudgeCoin(transaction, input, coin);
            if (!verdict.IsAccepted)
            {
                return verdict;
            }
        }

        Int128 inputs = spent.Aggregate(Int128.Zero, (sum, coin) => sum + coin.Output.Value.Value);
        Int128 outputs = transaction.Outputs.Aggregate(Int128.Zero, (sum, output) => sum + output.Value.Value);
        if (inputs - outputs < MinFee)
        {
            return Verdicts.Fee;
        }

        return _programs.Judge(transaction, spent.Select(coin => coin.Output.Owner).ToHashSet());
    }

    private bool Exists(OutPoint outPoint) =>
        _mined.TryGetValue(outPoint.TransactionId, out MinedTransaction parent) && outPoint.Index < parent.Transaction.Outputs.Length;

    private Verdict JudgeCoin(Transaction transaction, TransactionInput input, Coin coin)
    {
        if (coin.IsCoinBase && Height - coin.Height < CoinBaseMaturity)
        {
            return Verdicts.ImmatureCoinBase;
        }

        if (Finality.SatisfiesOutputLock(transaction, input, coin.Output.OutputLock))
        {
            return Verdict.Accepted;
        }

        return Verdicts.Locked(input.Sequence != Finality.LockedSequence ? "Invalid input sequence" : "UTXO output locked");
    }

    private Verdict JudgeForBlock(Transaction transaction, uint height)
    {
        if (!Finality.IsFinalAt(transaction, height))
        {
            return Verdicts.NotFinal;
        }

        if (_pool.ContainsKey(transaction.Id))
        {
            // Judged when it came; only its coins may be gone since.
            return transaction.Inputs.All(input => _coins.ContainsKey(input.Previous)) ? Verdict.Accepted : Verdicts.DoubleSpend;
        }

        Verdict verdict = JudgeAlone(transaction);
        return verdict.IsAccepted ? JudgeAgainstCoins(transaction) : verdict;
    }

    private void Apply(Transaction transaction, uint height, LedgerBlock undo)
    {
        foreach (TransactionInput input in transaction.Inputs)
        {
            if (_coins.Remove(input.Previous, out Coin coin))
            {
                undo.Spent.Add((input.Previous, coin));
                _spenders[input.Previous] = new MinedTransaction(transaction, height);
            }
        }

        for (int i = 0; i < transaction.Outputs.Length; i++)
        {
            _coins[new OutPoint(transaction.Id, (ushort)i)] = new Coin(transaction.Outputs[i], height, transaction.IsCoinBase);
        }

        _mined[transaction.Id] = new MinedTransaction(transaction, height);
    }

    /// <summary>Undoes as much of a block as was applied.</summary>
    private void Revert(LedgerBlock block)
    {
        foreach (Transaction transaction in block.Transactions)
        {
            if (_mined.TryGetValue(transaction.Id, out MinedTransaction mined) && mined.Height == (uint)_blocks.Count)
            {
                _ = _mined.Remove(transaction.Id);
                for (int i = 0; i < transaction.Outputs.Length; i++)
                {
                    _ = _coins.Remove(new OutPoint(transaction.Id, (ushort)i));
                }
            }
        }

        foreach ((OutPoint outPoint, Coin coin) in block.Spent)
        {
            _ = _spenders.Remove(outPoint);
            if (_mined.ContainsKey(outPoint.TransactionId))
            {
                _coins[outPoint] = coin;
            }
        }
    }

    private void AddToPool(Transaction transaction)
    {
        _pool[transaction.Id] = transaction;
        foreach (TransactionInput input in transaction.Inputs)
        {
            _poolSpends[input.Previous] = transaction.Id;
        }
    }

    /// <summary>A mined transaction leaves the pool, and with it whatever spends the same.</summary>
    private void DropFromPool(Transaction mined)
    {
        foreach (TransactionInput input in mined.Inputs)
        {
            if (_poolSpends.TryGetValue(input.Previous, out Hash256 id) && _pool.Remove(id, out Transaction? dropped))
            {
                foreach (TransactionInput freed in dropped.Inputs)
                {
                    _ = _poolSpends.Remove(freed.Previous);
                }
            }
        }
    }

    /// <summary>After a block was taken off, what waits is judged anew: a parent may be gone.</summary>
    private void RefreshPool()
    {
        Transaction[] waiting = [.. _pool.Values];
        ClearPool();
        foreach (Transaction transaction in waiting)
        {
            _ = Submit(transaction);
        }
    }

    private sealed record LedgerBlock(List<Transaction> Transactions, List<(OutPoint OutPoint, Coin Coin)> Spent);
}

/// <summary>A transaction of the chain and the height of its block.</summary>
public readonly record struct MinedTransaction(Transaction Transaction, uint Height);
