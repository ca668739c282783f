using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Tests.Chain;

/// <summary>A node over real loopback HTTP that answers from blocks it is given, and can be told to misbehave in any answer.</summary>
internal sealed class FixtureNode : IAsyncDisposable
{
    private const int Tries = 20;

    private readonly HttpListener _listener;
    private readonly Task _serving;
    private readonly Lock _gate = new();
    private List<Block> _blocks;

    public FixtureNode(IEnumerable<Block> blocks)
    {
        _blocks = [.. blocks];
        (_listener, int port) = Listen();
        Endpoint = new NodeEndpoint(new Uri($"http://127.0.0.1:{port}/"), "user", "pass");
        _serving = ServeAsync();
    }

    public NodeEndpoint Endpoint { get; }

    /// <summary>Transactions handed in, in order.</summary>
    public List<Transaction> Pool { get; } = [];

    /// <summary>Changes or replaces an answer: method, parameters, honest result.</summary>
    public Func<string, JsonObject, JsonNode?, JsonNode?>? Lie { get; set; }

    /// <summary>Takes over the HTTP answer altogether; true when it did.</summary>
    public Func<HttpListenerContext, Task<bool>>? TakeOver { get; set; }

    /// <summary>The confirm of a block, in hex; none by default.</summary>
    public Func<string, string>? Confirm { get; set; }

    public int Requests { get; private set; }

    public void SetBlocks(IEnumerable<Block> blocks)
    {
        lock (_gate)
        {
            _blocks = [.. blocks];
        }
    }

    public static IReadOnlyList<Block> RecordedBlocks() => [.. ChainVectors.Chain.Select(entry =>
        Block.TryParse(entry.Hex("raw"), out Block? block) == BlockReading.Read ? block! : throw new FormatException())];

    /// <summary>A block on top of others that holds these transactions.</summary>
    public static Block Mine(Block previous, IEnumerable<Transaction> transactions, ProgramHash miner = default, uint salt = 0)
    {
        var coinBase = new Transaction
        {
            Version = TransactionVersion.V0,
            Type = TransactionType.CoinBase,
            PayloadVersion = 4,
            Payload = new byte[] { 0 },
            Attributes = [new(AttributeUsage.Nonce, BitConverter.GetBytes(((ulong)salt << 32) + previous.Header.Height))],
            Inputs = [new(new OutPoint(default, ushort.MaxValue), uint.MaxValue)],
            Outputs = [new(new Sela(1_000), miner)],
            LockTime = previous.Header.Height + 1,
        };
        Transaction[] all = [coinBase, .. transactions];
        (byte[] core, byte[] proof) = ForgedChain.Next(previous.Header, salt, MerkleTree.Root([.. all.Select(transaction => transaction.Id)]));
        return new Block(ForgedChain.Read(core), proof, [.. all]);
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
        _listener.Close();
    }

    // The listener takes no port 0, and between finding a free one and taking it another test may.
    private static (HttpListener Listener, int Port) Listen()
    {
        for (int attempt = 1; ; attempt++)
        {
            int port = FreePort();
            var listener = new HttpListener();
            listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                listener.Start();
                return (listener, port);
            }
            catch (HttpListenerException) when (attempt < Tries)
            {
                listener.Close();
            }
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private async Task ServeAsync()
    {
        List<Task> answers = [];
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                break;
            }

            answers.Add(AnswerAsync(context));
        }

        await Task.WhenAll(answers);
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        Requests++;
        try
        {
            if (TakeOver is { } takeOver && await takeOver(context))
            {
                return;
            }

            if (context.Request.Headers["Authorization"] != "Basic " + Convert.ToBase64String("user:pass"u8))
            {
                context.Response.StatusCode = 401;
                context.Response.Close();
                return;
            }

            JsonNode request = (await JsonNode.ParseAsync(context.Request.InputStream))!;
            JsonNode reply = request is JsonArray batch ? new JsonArray([.. batch.Select(item => (JsonNode)Answer(item!.AsObject()))]) : Answer(request.AsObject());
            byte[] bytes = Encoding.UTF8.GetBytes(reply.ToJsonString());
            context.Response.ContentType = "application/json";
            context.Response.ContentLength64 = bytes.Length; // in chunks it would wait for an acknowledgement the client delays by 40 ms
            await context.Response.OutputStream.WriteAsync(bytes);
            context.Response.Close();
        }
        catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException)
        {
            // The client hung up: its right.
        }
    }

    private JsonObject Answer(JsonObject call)
    {
        string method = call["method"]!.GetValue<string>();
        JsonObject parameters = call["params"]!.AsObject();
        JsonObject reply = new() { ["jsonrpc"] = "2.0", ["id"] = call["id"]!.DeepClone(), ["error"] = null };
        lock (_gate)
        {
            (JsonNode? result, int code, string message) = Honest(method, parameters);
            JsonNode? answer = Lie is null ? result : Lie(method, parameters, result);
            reply["result"] = answer;
            reply["error"] = answer is null && code != 0 ? new JsonObject { ["code"] = code, ["message"] = message } : null;
        }

        return reply;
    }

    private (JsonNode? Result, int Code, string Message) Honest(string method, JsonObject parameters)
    {
        switch (method)
        {
            case "getblockcount":
                return (_blocks.Count, 0, "");
            case "getblockhash":
                int height = parameters["height"]!.GetValue<int>();
                return height < _blocks.Count ? (_blocks[height].Header.Hash.ToString(), 0, "") : (null, 42002, "Invalid Params");
            case "getblock":
                Block? block = _blocks.FirstOrDefault(b => b.Header.Hash.ToString() == parameters["blockhash"]!.GetValue<string>());
                return block is null ? (null, 44003, "Unknown Block") : (Describe(block), 0, "");
            case "getrawtransaction":
                return FindTransaction(parameters);
            case "listunspent":
                return (Unspent(parameters["addresses"]!.AsArray()[0]!.GetValue<string>()), 0, "");
            case "getconfirmbyhash":
                return Confirm is { } confirm ? (confirm(parameters["blockhash"]!.GetValue<string>()), 0, "") : (null, 44004, "Unknown Confirm");
            case "sendrawtransaction":
                return Take(Convert.FromHexString(parameters["data"]!.GetValue<string>()));
            default:
                return (null, -32601, "not found");
        }
    }

    private (JsonNode?, int, string) Take(byte[] raw)
    {
        Transaction transaction = ChainVectors.Parse(raw);
        if (Pool.Any(waiting => waiting.Id == transaction.Id) || _blocks.Any(block => block.Transactions.Any(mined => mined.Id == transaction.Id)))
        {
            return (null, 43001, "transaction already exist");
        }

        Dictionary<OutPoint, TransactionOutput> coins = Coins();
        if (!transaction.Inputs.All(input => coins.ContainsKey(input.Previous)))
        {
            return (null, 43001, "double spend");
        }

        if (!transaction.IsAuthorizedBy(transaction.Inputs.Select(input => coins[input.Previous].Owner)))
        {
            return (null, 43001, "signature invalid");
        }

        Pool.Add(transaction);
        return (transaction.Id.ToString(), 0, "");
    }

    private (JsonNode?, int, string) FindTransaction(JsonObject parameters)
    {
        string id = parameters["txid"]!.GetValue<string>();
        Block? block = _blocks.FirstOrDefault(b => b.Transactions.Any(transaction => transaction.Id.ToString() == id));
        Transaction? found = block?.Transactions.First(transaction => transaction.Id.ToString() == id) ?? Pool.FirstOrDefault(transaction => transaction.Id.ToString() == id);
        return found is null ? (null, 44001, "cannot find transaction")
            : parameters["verbose"]!.GetValue<bool>() ? (new JsonObject { ["blockhash"] = block?.Header.Hash.ToString() ?? "" }, 0, "")
            : (Convert.ToHexStringLower(found.Encode()), 0, "");
    }

    private JsonArray? Unspent(string address)
    {
        JsonNode[] coins = [.. Coins().Where(coin => coin.Value.Owner.ToString() == address).Select(coin => (JsonNode)new JsonObject
        {
            ["txid"] = coin.Key.TransactionId.ToString(),
            ["vout"] = coin.Key.Index,
            ["amount"] = coin.Value.Value.ToString(),
        })];
        return coins.Length == 0 ? null : new JsonArray(coins);
    }

    private Dictionary<OutPoint, TransactionOutput> Coins()
    {
        Dictionary<OutPoint, TransactionOutput> coins = [];
        foreach (Transaction transaction in _blocks.SelectMany(block => block.Transactions))
        {
            foreach (TransactionInput input in transaction.Inputs)
            {
                coins.Remove(input.Previous);
            }

            foreach ((int i, TransactionOutput output) in transaction.Outputs.Index())
            {
                coins[new OutPoint(transaction.Id, (ushort)i)] = output;
            }
        }

        return coins;
    }

    private static JsonObject Describe(Block block) => new()
    {
        ["hash"] = block.Header.Hash.ToString(),
        ["height"] = block.Header.Height,
        ["version"] = block.Header.Version,
        ["merkleroot"] = block.Header.MerkleRoot.ToString(),
        ["time"] = block.Header.Timestamp,
        ["nonce"] = block.Header.Nonce,
        ["bits"] = block.Header.Bits,
        ["previousblockhash"] = block.Header.Previous.ToString(),
        ["auxpow"] = Convert.ToHexStringLower(block.Proof.Span),
        ["tx"] = new JsonArray([.. block.Transactions.Select(transaction => (JsonNode)transaction.Id.ToString())]),
    };
}
