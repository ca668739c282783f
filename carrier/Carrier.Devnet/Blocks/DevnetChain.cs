using System.Buffers.Binary;
using System.Collections.Immutable;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core;
using Carrier.Devnet.Ledger;

namespace Carrier.Devnet.Blocks;

/// <summary>A whole chain in memory: headers with proofs of work over a <see cref="TransactionLedger"/>, mining, templates for merged mining, and side branches. Pure: told the time.</summary>
/// <remarks>The most work wins, as on the real chain; at a constant difficulty that is the longest branch, and the first seen of two.</remarks>
public sealed class DevnetChain : IDisposable
{
    /// <summary>Templates handed out by <see cref="CreateTemplate"/> and not yet used.</summary>
    public const int MaxTemplates = 64;

    /// <summary>Blocks of side branches kept for a reorganisation.</summary>
    public const int MaxSideBlocks = 256;

    private const long RewardSela = 502_283_105;
    private const byte CoinBasePayloadVersion = 4;

    private readonly List<Block> _blocks = [];
    private readonly Dictionary<Hash256, uint> _heights = [];
    private readonly Dictionary<Hash256, Block> _side = [];
    private readonly OrderedDictionary<Hash256, Block> _templates = [];
    private readonly ProgramHash _foundation;

    /// <param name="name">What the chain calls itself.</param>
    /// <param name="foundation">Who owns the 33,000,000 ELA of block 0, and a share of every block.</param>
    public DevnetChain(string name, ProgramHash foundation)
    {
        _foundation = foundation;
        Network = ChainNetwork.Private(name, foundation);
        var genesis = new Block(Network.Genesis, NoProof, Genesis.Transactions(foundation));
        _ = Ledger.Connect([.. genesis.Transactions]);
        Append(genesis);
    }

    public ChainNetwork Network { get; }

    public TransactionLedger Ledger { get; } = new();

    public uint Height => (uint)(_blocks.Count - 1);

    public Block Tip => _blocks[^1];

    /// <summary>Raised with every block that became part of the chain.</summary>
    public event Action<Block>? Connected;

    /// <summary>Raised with the height the chain was taken back to by <see cref="Rewind"/>.</summary>
    public event Action<uint>? Rewound;

    /// <summary>Block 0 carries a proof of the right form and no work.</summary>
    private static ReadOnlyMemory<byte> NoProof { get; } = new byte[4 + 1 + 1 + 4 + Hash256.Bytes + 1 + 4 + 1 + 4 + 80];

    public Block At(uint height) => _blocks[(int)height];

    public bool TryFind(Hash256 hash, out Block? block)
    {
        bool found = _heights.TryGetValue(hash, out uint height);
        block = found ? At(height) : null;
        return found;
    }

    /// <summary>Mines one block with all that is mineable and makes it the tip.</summary>
    public Block Mine(ProgramHash miner, UnixTime now) => Mine(miner, now, Ledger.Mineable());

    /// <summary>Mines one block with just these transactions, which the pool need not know.</summary>
    /// <exception cref="ArgumentException">They do not make a sound block.</exception>
    public Block Mine(ProgramHash miner, UnixTime now, IReadOnlyList<Transaction> transactions, int auxDepth = 0)
    {
        Block template = Build(miner, now, transactions);
        byte[] proof = AuxPowBuilder.Build(template.Header.Hash, template.Header.Bits, template.Header.Timestamp, auxDepth);
        Block block = template with { Proof = proof };
        BlockVerdict verdict = Add(block, now);
        return verdict == BlockVerdict.Connected ? block : throw new ArgumentException($"These transactions make no block: {verdict}.", nameof(transactions));
    }

    /// <summary>A block without its proof, for a merged miner; <see cref="SubmitProof"/> completes it.</summary>
    public Block CreateTemplate(ProgramHash miner, UnixTime now)
    {
        Block template = Build(miner, now, Ledger.Mineable());
        AddTemplate(template);
        return template;
    }

    /// <summary>Completes a template. False when there is none of that hash or the proof does not prove it.</summary>
    public bool SubmitProof(Hash256 blockHash, ReadOnlySpan<byte> proof, UnixTime now)
    {
        if (!_templates.TryGetValue(blockHash, out Block? template) || Add(template with { Proof = proof.ToArray() }, now) != BlockVerdict.Connected)
        {
            return false;
        }

        _ = _templates.Remove(blockHash);
        return true;
    }

    /// <summary>Judges a block and adds it: to the tip, or to a branch, which takes over when it has more work.</summary>
    public BlockVerdict Add(Block block, UnixTime now)
    {
        ArgumentNullException.ThrowIfNull(block);
        Hash256 hash = block.Header.Hash;
        if (_heights.ContainsKey(hash) || _side.ContainsKey(hash))
        {
            return BlockVerdict.Known;
        }

        if (block.Header.Previous == Tip.Header.Hash)
        {
            return Extend(block, now);
        }

        if (!_heights.ContainsKey(block.Header.Previous) && !_side.ContainsKey(block.Header.Previous))
        {
            return BlockVerdict.Orphan;
        }

        if (_side.Count == MaxSideBlocks)
        {
            _side.Clear();
        }

        _side[hash] = block;
        return block.Header.Height > Height ? Reorganise(block, now) : BlockVerdict.Side;
    }

    /// <summary>Takes blocks off the tip, for tests; their transactions go back to the pool.</summary>
    public void Rewind(int blocks)
    {
        var returned = new List<Transaction>();
        for (int i = 0; i < blocks && Height > 0; i++)
        {
            returned.InsertRange(0, Detach());
        }

        Rewound?.Invoke(Height);
        Resubmit(returned);
    }

    public void Dispose() => Ledger.Dispose();

    /// <summary>Puts a template in that was made elsewhere.</summary>
    internal void AddTemplate(Block template)
    {
        if (_templates.Count == MaxTemplates)
        {
            _templates.RemoveAt(0);
        }

        _templates[template.Header.Hash] = template;
    }

    private Block Build(ProgramHash miner, UnixTime now, IReadOnlyList<Transaction> transactions)
    {
        uint height = Height + 1;
        Sela reward = transactions.Aggregate(new Sela(RewardSela), (sum, transaction) => sum + Ledger.FeeOf(transaction));
        ImmutableArray<Transaction> all = [CoinBase(height, miner, reward), .. transactions];
        uint timestamp = (uint)Math.Max(now.Seconds, Tip.Header.Timestamp);
        var header = new BlockHeader(
            0, Tip.Header.Hash, MerkleTree.Root([.. all.Select(transaction => transaction.Id)]), timestamp, ChainNetwork.InstantBits, 0, height);
        return new Block(header, default, all);
    }

    /// <summary>30 % to the foundation, 35 % to the miner, the rest to the foundation again, as at low heights of every network.</summary>
    private Transaction CoinBase(uint height, ProgramHash miner, Sela reward)
    {
        long first = reward.Value * 30 / 100;
        long second = reward.Value * 35 / 100;
        byte[] nonce = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(nonce, ((ulong)Tip.Header.Timestamp << 32) | height);
        return new Transaction
        {
            Version = TransactionVersion.V0,
            Type = TransactionType.CoinBase,
            PayloadVersion = CoinBasePayloadVersion,
            Payload = new byte[] { 3, (byte)'E', (byte)'L', (byte)'A' },
            Attributes = [new TransactionAttribute(AttributeUsage.Nonce, nonce)],
            Inputs = [new TransactionInput(new OutPoint(default, ushort.MaxValue), uint.MaxValue)],
            Outputs =
            [
                new TransactionOutput(new Sela(first), _foundation),
                new TransactionOutput(new Sela(second), miner),
                new TransactionOutput(new Sela(reward.Value - first - second), _foundation),
            ],
            LockTime = height,
        };
    }

    private BlockVerdict Extend(Block block, UnixTime now)
    {
        if (!IsSoundHeader(block, now))
        {
            return BlockVerdict.BadHeader;
        }

        if (!IsSoundCoinBase(block) || !Ledger.Connect([.. block.Transactions]).IsAccepted)
        {
            return BlockVerdict.BadTransactions;
        }

        Append(block);
        Connected?.Invoke(block);
        return BlockVerdict.Connected;
    }

    private bool IsSoundHeader(Block block, UnixTime now)
    {
        BlockHeader header = block.Header;
        uint[] earlier = [.. Enumerable.Range(Math.Max(0, (int)Height - HeaderChain.MedianOf + 1), Math.Min(HeaderChain.MedianOf, (int)Height + 1)).Select(height => At((uint)height).Header.Timestamp)];
        Array.Sort(earlier);
        return header.Height == Height + 1
            && header.Bits == ChainNetwork.InstantBits
            && header.Timestamp >= earlier[earlier.Length / 2]
            && header.Timestamp <= (now + HeaderChain.MaxAhead).Seconds
            && Difficulty.TryToTarget(header.Bits, out Hash256 target)
            && AuxPow.TryParse(block.Proof.Span, out AuxPow proof)
            && proof.Check(header.Hash, target) == HeaderRule.None;
    }

    private static bool IsSoundCoinBase(Block block)
    {
        Transaction coinBase = block.Transactions[0];
        return coinBase.IsCoinBase
            && coinBase.LockTime == block.Header.Height
            && block.Transactions.Count(transaction => transaction.IsCoinBase) == 1
            && MerkleTree.Root([.. block.Transactions.Select(transaction => transaction.Id)]) == block.Header.MerkleRoot;
    }

    /// <summary>Moves to the branch that ends in <paramref name="end"/>; back to where it was if a block of it is bad.</summary>
    private BlockVerdict Reorganise(Block end, UnixTime now)
    {
        var branch = new Stack<Block>();
        for (Block? block = end; block is not null; block = _side.GetValueOrDefault(block.Header.Previous))
        {
            branch.Push(block);
        }

        uint fork = _heights[branch.Peek().Header.Previous];
        var left = new List<Block>();
        var returned = new List<Transaction>();
        while (Height > fork)
        {
            left.Insert(0, Tip);
            returned.InsertRange(0, Detach());
        }

        foreach (Block block in branch)
        {
            _ = _side.Remove(block.Header.Hash);
            BlockVerdict verdict = Extend(block, now);
            if (verdict != BlockVerdict.Connected)
            {
                Restore(fork, left, now);
                return verdict;
            }
        }

        foreach (Block block in left)
        {
            _side[block.Header.Hash] = block;
        }

        Resubmit(returned);
        return BlockVerdict.Connected;
    }

    private void Restore(uint fork, List<Block> blocks, UnixTime now)
    {
        while (Height > fork)
        {
            _ = Detach();
        }

        foreach (Block block in blocks)
        {
            _ = Extend(block, now);
        }
    }

    private void Append(Block block)
    {
        _blocks.Add(block);
        _heights[block.Header.Hash] = block.Header.Height;
    }

    private IReadOnlyList<Transaction> Detach()
    {
        _ = _heights.Remove(Tip.Header.Hash);
        _blocks.RemoveAt(_blocks.Count - 1);
        return Ledger.Disconnect();
    }

    private void Resubmit(IEnumerable<Transaction> transactions)
    {
        foreach (Transaction transaction in transactions.Where(transaction => !transaction.IsCoinBase))
        {
            _ = Ledger.Submit(transaction);
        }
    }
}

/// <summary>What became of a block.</summary>
public enum BlockVerdict
{
    /// <summary>It is part of the chain.</summary>
    Connected,

    /// <summary>It is kept, on a branch with no more work.</summary>
    Side,

    /// <summary>Its parent is not known.</summary>
    Orphan,

    Known,

    BadHeader,

    BadTransactions,
}
