using System.Collections.Immutable;
using Carrier.Chain.Blocks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Spv;
using Carrier.Chain.Transactions;
using Carrier.Core;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Ledger;

namespace Carrier.Devnet.Peers;

/// <summary>One peer of the devnet: its messages in, the node's answers out. Pure: no socket, told the time; the caller keeps others away from the chain meanwhile.</summary>
/// <remarks>
/// The peer may be hostile. What it can make us hold is one filter, one message's list of wants and <see cref="MaxAnnouncements"/> hashes; answers are made one at a
/// time, when there is room to send them. The node's habits, recorded: it speaks second, answers <c>getblocks</c> only when there is a block to name, and says
/// nothing to a transaction it takes.
/// </remarks>
public sealed class PeerSession
{
    /// <summary>Blocks named in one answer to <c>getblocks</c>.</summary>
    public const int MaxBlocksNamed = 500;

    /// <summary>Items asked for in one <c>getdata</c>.</summary>
    public const int MaxWanted = 1_000;

    /// <summary>News that waits to be told; a peer that does not take it in hears of no more, and catches up by <c>getblocks</c>.</summary>
    public const int MaxAnnouncements = 1_000;

    private const ulong Services = 7;

    private readonly DevnetChain _chain;
    private readonly Queue<byte[]> _frames = [];
    private readonly Queue<(InventoryKind Kind, Hash256 Hash)> _wanted = [];
    private readonly Queue<(InventoryKind Kind, Hash256 Hash)> _news = [];
    private readonly List<(InventoryKind Kind, Hash256 Hash)> _missing = [];
    private readonly uint _magic;
    private readonly ulong _nonce;
    private BloomFilter? _filter;
    private bool _greeted;
    private bool _relays;

    /// <param name="chain">What is asked of.</param>
    /// <param name="magic">The network's.</param>
    /// <param name="nonce">Random: by it a node knows a connection to itself.</param>
    public PeerSession(DevnetChain chain, uint magic, ulong nonce)
    {
        ArgumentNullException.ThrowIfNull(chain);
        _chain = chain;
        _magic = magic;
        _nonce = nonce;
    }

    /// <summary>Takes one message. False: the peer broke the protocol, and the connection ends without a word, as the node ends it.</summary>
    public bool Handle(string command, ReadOnlySpan<byte> payload, UnixTime now)
    {
        if (!_greeted)
        {
            return command == "version" && Greet(payload, now);
        }

        switch (command)
        {
            case "version":
                return false; // once is enough
            case "ping":
                Send("pong", PeerMessages.Ping(_chain.Height));
                return PeerMessages.TryReadPing(payload, out _);
            case "filterload":
                return PeerMessages.TryReadFilterLoad(payload, out _filter);
            case "filteradd":
                return AddToFilter(payload);
            case "filterclear":
                _filter = null;
                return true;
            case "getblocks":
                return NameBlocks(payload);
            case "getdata":
                return Want(payload);
            case "mempool":
                NamePool();
                return true;
            case "tx":
                return Take(payload);
            default:
                return true; // verack, pong, and what later versions say
        }
    }

    /// <summary>Notes a block that became part of the chain.</summary>
    public void Announce(Hash256 block) => Announce(InventoryKind.Block, block);

    /// <summary>Notes a transaction that waits, if the peer wants to hear of it.</summary>
    public void Announce(Transaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (_filter is null ? _relays : TransactionMatch.Update(_filter, transaction))
        {
            Announce(InventoryKind.Transaction, transaction.Id);
        }
    }

    /// <summary>The next frame to send, until there is none.</summary>
    public bool TryTransmit(out ReadOnlyMemory<byte> frame)
    {
        while (_frames.Count == 0 && TryAnswerNext())
        {
            // A wanted item may have no answer of its own.
        }

        bool any = _frames.TryDequeue(out byte[]? next);
        frame = next;
        return any;
    }

    private bool Greet(ReadOnlySpan<byte> payload, UnixTime now)
    {
        if (!PeerMessages.TryReadVersion(payload, out PeerVersion version))
        {
            return false;
        }

        _greeted = true;
        _relays = version.Relays;
        Send("version", PeerMessages.Version((uint)now.Seconds, _nonce, _chain.Height, _chain.Network.PeerPort, Services, relays: true));
        Send("verack", []);
        return true;
    }

    private bool AddToFilter(ReadOnlySpan<byte> payload)
    {
        if (_filter is null || !PeerMessages.TryReadFilterAdd(payload, out ReadOnlySpan<byte> item))
        {
            return false;
        }

        _filter.Add(item);
        return true;
    }

    /// <summary>The blocks after the newest one both know; after genesis when there is none.</summary>
    private bool NameBlocks(ReadOnlySpan<byte> payload)
    {
        if (!PeerMessages.TryReadGetBlocks(payload, out ImmutableArray<Hash256> locator, out Hash256 stop))
        {
            return false;
        }

        uint shared = 0;
        foreach (Hash256 known in locator)
        {
            if (_chain.TryFind(known, out Block? block))
            {
                shared = block!.Header.Height;
                break;
            }
        }

        List<Hash256> hashes = [];
        for (uint height = shared + 1; height <= _chain.Height && hashes.Count < MaxBlocksNamed; height++)
        {
            hashes.Add(_chain.At(height).Header.Hash);
            if (hashes[^1] == stop)
            {
                break;
            }
        }

        if (hashes.Count > 0)
        {
            Send("inv", PeerMessages.Inventory(InventoryKind.Block, hashes));
        }

        return true;
    }

    private bool Want(ReadOnlySpan<byte> payload)
    {
        if (!PeerMessages.TryReadInventory(payload, out ImmutableArray<(InventoryKind Kind, Hash256 Hash)> items) || items.Length > MaxWanted || _wanted.Count > 0)
        {
            return false;
        }

        foreach ((InventoryKind, Hash256) item in items)
        {
            _wanted.Enqueue(item);
        }

        return true;
    }

    private void NamePool()
    {
        Hash256[] waiting =
        [
            .. _chain.Ledger.Pool.Values
                .Where(transaction => _filter is null || TransactionMatch.Update(_filter, transaction))
                .Select(transaction => transaction.Id)
                .Take(PeerMessages.MaxInventory),
        ];
        if (waiting.Length > 0)
        {
            Send("inv", PeerMessages.Inventory(InventoryKind.Transaction, waiting));
        }
    }

    private bool Take(ReadOnlySpan<byte> payload)
    {
        if (Transaction.TryParse(payload, out Transaction? transaction) != TransactionReading.Read)
        {
            return false;
        }

        Verdict verdict = _chain.Ledger.Submit(transaction!);
        if (!verdict.IsAccepted)
        {
            Send("reject", PeerMessages.Reject(RejectReason.Of(verdict, transaction!.Id)));
        }

        return true;
    }

    private void Announce(InventoryKind kind, Hash256 hash)
    {
        if (_greeted && _news.Count < MaxAnnouncements)
        {
            _news.Enqueue((kind, hash));
        }
    }

    /// <summary>Answers one wanted item, else tells what was not found, else one piece of news. False when there is nothing to say.</summary>
    private bool TryAnswerNext()
    {
        if (_wanted.TryDequeue(out (InventoryKind Kind, Hash256 Hash) wanted))
        {
            if (!TryAnswer(wanted.Kind, wanted.Hash))
            {
                _missing.Add(wanted);
            }

            return true;
        }

        if (_missing.Count > 0)
        {
            Send("notfound", PeerMessages.Inventory(_missing));
            _missing.Clear();
            return true;
        }

        if (_news.TryDequeue(out (InventoryKind Kind, Hash256 Hash) news))
        {
            Send("inv", PeerMessages.Inventory(news.Kind, news.Hash));
            return true;
        }

        return false;
    }

    private bool TryAnswer(InventoryKind kind, Hash256 hash)
    {
        Block? block = null;
        switch (kind)
        {
            case InventoryKind.Transaction when _chain.Ledger.Pool.TryGetValue(hash, out Transaction? waiting):
                Send("tx", waiting.Encode());
                return true;
            case InventoryKind.Block or InventoryKind.ConfirmedBlock when _chain.TryFind(hash, out block):
                Send("block", [.. block!.Encode(), 0]); // no confirm follows
                return true;
            case InventoryKind.FilteredBlock when _chain.TryFind(hash, out block):
                SendFiltered(block!);
                return true;
            default:
                return false;
        }
    }

    /// <summary>The block's header and what the filter matches in it; without a filter there is no answer.</summary>
    private void SendFiltered(Block block)
    {
        if (_filter is null)
        {
            return;
        }

        bool[] matched = [.. block.Transactions.Select(transaction => TransactionMatch.Update(_filter, transaction))];
        Hash256[] ids = [.. block.Transactions.Select(transaction => transaction.Id)];
        Send("merkleblock", PartialMerkleTree.Encode(block.Header, block.Proof.Span, ids, matched));
        foreach ((int i, Transaction transaction) in block.Transactions.Index())
        {
            if (matched[i])
            {
                Send("tx", transaction.Encode());
            }
        }
    }

    private void Send(string command, ReadOnlySpan<byte> payload) => _frames.Enqueue(PeerFrame.Encode(_magic, command, payload));
}
