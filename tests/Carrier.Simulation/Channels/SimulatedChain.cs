using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Devnet.Ledger;

namespace Carrier.Simulation.Channels;

/// <summary>The devnet's ledger as the schedules need it: blocks by honest and hostile miners, reorganisations, and what a channel sees.</summary>
internal sealed class SimulatedChain : IDisposable
{
    public SimulatedChain(IEnumerable<TransactionOutput> genesis)
    {
        var first = new Transaction { Outputs = [.. genesis] };
        Genesis = first.Id;
        _ = Ledger.Connect([first]);
    }

    public TransactionLedger Ledger { get; } = new();

    public Hash256 Genesis { get; }

    public uint Height => Ledger.Height;

    public Verdict Submit(ReadOnlyMemory<byte> encoded)
    {
        if (Transaction.TryParse(encoded.Span, out Transaction? transaction) != TransactionReading.Read)
        {
            throw new InvalidOperationException("A side broadcast what is no transaction.");
        }

        return Ledger.Submit(transaction!);
    }

    /// <summary>An honest block: everything the pool has that is final.</summary>
    public void MineHonestly() => Connect(Ledger.Mineable());

    /// <summary>A hostile block: what the miner likes, straight into the block, and nothing else.</summary>
    public void MineOnly(IEnumerable<Transaction> wanted)
    {
        var block = new List<Transaction>();
        foreach (Transaction transaction in wanted)
        {
            block.Add(transaction);
            if (Ledger.Connect(block).IsAccepted)
            {
                _ = Ledger.Disconnect();
            }
            else
            {
                block.RemoveAt(block.Count - 1);
            }
        }

        Connect(block);
    }

    /// <summary>Takes blocks off and mines one more in their place, honestly; what was in them comes back to the pool in any order, or is lost from it.</summary>
    public void Reorganise(int depth, SeededRandom random)
    {
        depth = (int)Math.Min(depth, Height);
        var returned = new List<Transaction>();
        for (int i = 0; i < depth; i++)
        {
            returned.AddRange(Ledger.Disconnect());
        }

        for (int i = returned.Count - 1; i > 0; i--)
        {
            int j = random.NextInt32(i + 1);
            (returned[i], returned[j]) = (returned[j], returned[i]);
        }

        for (int i = 0; i <= depth; i++)
        {
            foreach (Transaction transaction in returned.Where(_ => random.NextInt32(4) > 0))
            {
                _ = Ledger.Submit(transaction);
            }

            MineHonestly();
        }
    }

    /// <summary>What two nodes and the header chain say about a channel.</summary>
    public ChannelSight Sight(ChannelTransactions channel) => LedgerSight.Of(Ledger, channel);

    /// <summary>All an account owns in the chain.</summary>
    public long Balance(ProgramHash owner) => Ledger.Coins.Values.Where(coin => coin.Output.Owner == owner).Sum(coin => coin.Output.Value.Value);

    public void Dispose() => Ledger.Dispose();

    private void Connect(IReadOnlyList<Transaction> transactions)
    {
        Verdict verdict = Ledger.Connect(transactions);
        if (!verdict.IsAccepted)
        {
            throw new InvalidOperationException($"The miner made a bad block: {verdict}");
        }
    }
}
