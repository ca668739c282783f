using System.Text.Json;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Access;

/// <summary>One node, asked in the chain's own types. What can be recomputed is: hashes, ids, roots. The rest is hearsay and named so.</summary>
public sealed partial class RpcNode(NodeEndpoint endpoint, RpcPatience? patience = null) : IDisposable
{
    /// <summary>The node's code for a transaction it does not know.</summary>
    public const int UnknownTransaction = 44001;

    /// <summary>Coins of one address that are looked at; who has more should gather them.</summary>
    public const int MaxCoins = 20_000;

    private readonly JsonRpcClient _client = new(endpoint, patience);

    public string Name => endpoint.Name;

    public NodeHealth Health { get; private set; }

    /// <summary>The height the node says its tip has. Hearsay.</summary>
    public async Task<NodeAnswer<uint>> HeightAsync(CancellationToken cancellationToken)
    {
        NodeAnswer<JsonElement> reply = await CallAsync(new("getblockcount"), cancellationToken).ConfigureAwait(false);
        return Read<uint>(reply, value => value.ValueKind == JsonValueKind.Number && value.TryGetUInt32(out uint count) && count > 0 ? count - 1 : null);
    }

    /// <summary>The hash the node says a height has, or none above its tip. Hearsay until the header was judged.</summary>
    public async Task<NodeAnswer<Hash256>> BlockHashAsync(uint height, CancellationToken cancellationToken) =>
        Read(await CallAsync(new("getblockhash", ("height", height)), cancellationToken).ConfigureAwait(false), ReadHash);

    /// <summary>The blocks from a height on, as many as the node has of <paramref name="count"/>; each fits its own hash, and nothing else was judged.</summary>
    public async Task<NodeAnswer<IReadOnlyList<BlockSummary>>> BlocksAsync(uint from, int count, CancellationToken cancellationToken)
    {
        var hashes = await BatchAsync([.. Enumerable.Range(0, count).Select(i => new RpcCall("getblockhash", ("height", from + (uint)i)))], cancellationToken).ConfigureAwait(false);
        List<RpcCall> calls = [];
        List<Hash256> wanted = [];
        foreach (NodeAnswer<JsonElement> answer in hashes)
        {
            NodeAnswer<Hash256> hash = Read(answer, ReadHash);
            if (hash.Fault == NodeFault.Error)
            {
                break; // above the tip
            }

            if (!hash.IsGood)
            {
                return hash.As<IReadOnlyList<BlockSummary>>();
            }

            wanted.Add(hash.Value);
            calls.Add(new RpcCall("getblock", ("blockhash", hash.Value.ToString()), ("verbosity", 1)));
        }

        List<BlockSummary> blocks = [];
        foreach ((int i, NodeAnswer<JsonElement> answer) in (await BatchAsync(calls, cancellationToken).ConfigureAwait(false)).Index())
        {
            NodeAnswer<BlockSummary> block = ReadBlock(answer, wanted[i]);
            if (!block.IsGood)
            {
                return block.As<IReadOnlyList<BlockSummary>>();
            }

            blocks.Add(block.Value!);
        }

        return new(blocks);
    }

    /// <summary>A block by its hash.</summary>
    public async Task<NodeAnswer<BlockSummary>> BlockAsync(Hash256 hash, CancellationToken cancellationToken) =>
        ReadBlock(await CallAsync(new("getblock", ("blockhash", hash.ToString()), ("verbosity", 1)), cancellationToken).ConfigureAwait(false), hash);

    /// <summary>A transaction whose id was recomputed, and the block the node says it is in (none while it waits).</summary>
    public async Task<NodeAnswer<TransactionSighting>> TransactionAsync(Hash256 id, CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeAnswer<JsonElement>> replies = await BatchAsync(
            [new("getrawtransaction", ("txid", id.ToString()), ("verbose", false)), new("getrawtransaction", ("txid", id.ToString()), ("verbose", true))],
            cancellationToken).ConfigureAwait(false);
        NodeAnswer<byte[]> raw = ReadBytes(replies[0]);
        if (!raw.IsGood)
        {
            return raw.As<TransactionSighting>();
        }

        TransactionReading reading = Transaction.TryParse(raw.Value, out Transaction? transaction);
        if (reading != TransactionReading.Read)
        {
            return Fail<TransactionSighting>(reading is TransactionReading.Malformed or TransactionReading.AmountOutOfRange ? NodeFault.Lie : NodeFault.Malformed,
                $"Transaction {id} cannot be read ({reading}).");
        }

        if (transaction!.Id != id)
        {
            return Fail<TransactionSighting>(NodeFault.Lie, $"Asked for transaction {id}, it gave {transaction.Id}.");
        }

        Hash256 block = default;
        bool mined = replies[1].IsGood && replies[1].Value.ValueKind == JsonValueKind.Object
            && replies[1].Value.TryGetProperty("blockhash", out JsonElement where) && where.ValueKind == JsonValueKind.String
            && Hash256.TryParse(where.GetString(), out block);
        return new(new TransactionSighting(transaction, mined ? block : null));
    }

    /// <summary>The coins the node says an address has: with those spent in its pool and those too young, without those just received. Hearsay.</summary>
    public async Task<NodeAnswer<IReadOnlyList<CoinClaim>>> UnspentAsync(ProgramHash owner, CancellationToken cancellationToken)
    {
        NodeAnswer<JsonElement> reply = await CallAsync(new("listunspent", ("addresses", new[] { owner.ToString() })), cancellationToken).ConfigureAwait(false);
        if (!reply.IsGood)
        {
            return reply.As<IReadOnlyList<CoinClaim>>();
        }

        if (reply.Value.ValueKind == JsonValueKind.Null)
        {
            return new([]); // no coins are a null here, not an empty list
        }

        if (reply.Value.ValueKind != JsonValueKind.Array || reply.Value.GetArrayLength() > MaxCoins)
        {
            return Fail<IReadOnlyList<CoinClaim>>(NodeFault.Malformed, "The coins are no list, or too many.");
        }

        List<CoinClaim> coins = [];
        Sela total = Sela.Zero;
        foreach (JsonElement item in reply.Value.EnumerateArray())
        {
            if (ReadCoin(item) is not { } coin || !total.TryAdd(coin.Value, out total))
            {
                return Fail<IReadOnlyList<CoinClaim>>(NodeFault.Lie, "It lists a coin that cannot exist.");
            }

            coins.Add(coin);
        }

        return new(coins);
    }

    /// <summary>Hands in a transaction.</summary>
    public async Task<NodeAnswer<Hash256>> SendAsync(Transaction transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        string hex = Convert.ToHexStringLower(transaction.Encode());
        NodeAnswer<Hash256> answer = Read(await CallAsync(new("sendrawtransaction", ("data", hex)), cancellationToken).ConfigureAwait(false), ReadHash);
        return answer.IsGood && answer.Value != transaction.Id ? Fail<Hash256>(NodeFault.Lie, "It took a transaction and named another.") : answer;
    }

    /// <summary>The arbiters' confirm of a block, unjudged.</summary>
    public async Task<NodeAnswer<byte[]>> ConfirmAsync(Hash256 block, CancellationToken cancellationToken) =>
        ReadBytes(await CallAsync(new("getconfirmbyhash", ("blockhash", block.ToString()), ("verbosity", 0)), cancellationToken).ConfigureAwait(false));

    /// <summary>Remembers that the node contradicted a proof.</summary>
    public void CaughtLying(string how) => Health = Health.After(NodeFault.Lie, how);

    public void Dispose() => _client.Dispose();

    private async Task<NodeAnswer<JsonElement>> CallAsync(RpcCall call, CancellationToken cancellationToken) =>
        Note(await _client.CallAsync(call, cancellationToken).ConfigureAwait(false));

    private async Task<IReadOnlyList<NodeAnswer<JsonElement>>> BatchAsync(IReadOnlyList<RpcCall> calls, CancellationToken cancellationToken) =>
        [.. (await _client.CallAsync(calls, cancellationToken).ConfigureAwait(false)).Select(Note)];

    private NodeAnswer<JsonElement> Note(NodeAnswer<JsonElement> answer)
    {
        Health = Health.After(answer.Fault, answer.Detail);
        return answer;
    }

    private NodeAnswer<T> Fail<T>(NodeFault fault, string detail)
    {
        Health = Health.After(fault, detail);
        return new(default, fault, 0, detail);
    }

    private NodeAnswer<T> Read<T>(NodeAnswer<JsonElement> answer, Func<JsonElement, T?> read)
        where T : struct =>
        !answer.IsGood ? answer.As<T>() : read(answer.Value) is { } value ? new(value) : Fail<T>(NodeFault.Malformed, "An answer is of another type than it should be.");

    private NodeAnswer<byte[]> ReadBytes(NodeAnswer<JsonElement> answer) =>
        !answer.IsGood ? answer.As<byte[]>() : BlockSummary.ReadHex(answer.Value) is { } value ? new(value) : Fail<byte[]>(NodeFault.Malformed, "An answer is of another type than it should be.");

    private NodeAnswer<BlockSummary> ReadBlock(NodeAnswer<JsonElement> answer, Hash256 hash)
    {
        if (!answer.IsGood)
        {
            return answer.As<BlockSummary>();
        }

        BlockSummary? block = BlockSummary.TryRead(answer.Value);
        return block is null ? Fail<BlockSummary>(NodeFault.Malformed, $"Block {hash} cannot be read.")
            : block.Header.Hash != hash ? Fail<BlockSummary>(NodeFault.Lie, $"Asked for block {hash}, it gave {block.Header.Hash}.")
            : new(block);
    }

    private static Hash256? ReadHash(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && Hash256.TryParse(value.GetString(), out Hash256 hash) ? hash : null;

    private static CoinClaim? ReadCoin(JsonElement item) =>
        item.ValueKind == JsonValueKind.Object
        && item.TryGetProperty("txid", out JsonElement id) && ReadHash(id) is { } transaction
        && item.TryGetProperty("vout", out JsonElement vout) && vout.ValueKind == JsonValueKind.Number && vout.TryGetUInt16(out ushort index)
        && item.TryGetProperty("amount", out JsonElement amount) && amount.ValueKind == JsonValueKind.String && Sela.TryParse(amount.GetString(), out Sela value)
            ? new CoinClaim(new OutPoint(transaction, index), value)
            : null;
}

/// <summary>A transaction as a node gave it: the id is right; the block is the node's word.</summary>
public sealed record TransactionSighting(Transaction Transaction, Hash256? Block);

/// <summary>A node says this output is not spent in its chain.</summary>
public readonly record struct CoinClaim(OutPoint OutPoint, Sela Value);
