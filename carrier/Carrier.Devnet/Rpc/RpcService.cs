using System.Text.Json;
using System.Text.Json.Nodes;
using Carrier.Chain.Access;
using Carrier.Chain.Primitives;
using Carrier.Core;
using Carrier.Devnet.Blocks;

namespace Carrier.Devnet.Rpc;

/// <summary>JSON-RPC as the node speaks it: text in, text out. Errors of a method come with status 200, those of the envelope do not.</summary>
public sealed class RpcService
{
    /// <summary>Calls in one batch; the node sets no bound, a development network needs one all the same.</summary>
    public const int MaxBatch = 1_000;

    private const int MaxDepth = 32;

    /// <summary>A name given twice would throw where it is looked up.</summary>
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    private readonly RpcMethods _methods;

    /// <param name="chain">What is asked and changed; the caller keeps others away meanwhile.</param>
    /// <param name="miner">Who gets the miner's share of blocks mined on request.</param>
    /// <param name="now">The wall clock.</param>
    /// <param name="faucet">Who gives coins away; null for nobody.</param>
    public RpcService(DevnetChain chain, ProgramHash miner, Func<UnixTime> now, Faucet? faucet = null) => _methods = new RpcMethods(chain, miner, now, faucet);

    /// <summary>Answers one request body.</summary>
    public RpcReply Answer(ReadOnlySpan<byte> body)
    {
        JsonNode? request;
        try
        {
            using JsonDocument looked = ForeignJson.Parse(body.ToArray(), MaxDepth); // all text is text: nodes throw when they are asked
            request = JsonNode.Parse(body, documentOptions: Strict);
        }
        catch (JsonException e)
        {
            string detail = body.IsEmpty ? "unexpected end of JSON input" : e.Message;
            return RpcReply.Refuse(400, RpcError.Parse, $"JSON-RPC request parsing error:{detail}");
        }

        JsonNode answer = request is JsonArray { Count: > 0 and <= MaxBatch } batch
            ? new JsonArray([.. batch.Select(call => (JsonNode)AnswerOne(call))])
            : AnswerOne(request);
        return new RpcReply(200, answer);
    }

    private static JsonObject Envelope(JsonNode? result, JsonNode? id, RpcError? error) => new()
    {
        ["jsonrpc"] = "2.0",
        ["result"] = result,
        ["id"] = id?.DeepClone(),
        ["error"] = error is null ? null : new JsonObject { ["code"] = error.Code, ["id"] = id?.DeepClone(), ["message"] = error.Message },
    };

    private JsonObject AnswerOne(JsonNode? request)
    {
        if (request is not JsonObject call || call["method"] is not JsonValue named || !named.TryGetValue(out string? method))
        {
            return Envelope(null, (request as JsonObject)?["id"], new RpcError(RpcError.InvalidRequest, "JSON-RPC need a method"));
        }

        JsonNode? id = call["id"];
        JsonNode? parameters = call["params"];
        if (parameters is not (null or JsonObject or JsonArray))
        {
            return Envelope(null, id, new RpcError(RpcError.InvalidRequest, "params format error, must be an array or a map"));
        }

        try
        {
            return _methods.TryRun(method, new RpcParameters(parameters), out JsonNode? result)
                ? Envelope(result, id, null)
                : Envelope(null, id, new RpcError(RpcError.MethodNotFound, $"JSON-RPC method {method} not found"));
        }
        catch (RpcException e)
        {
            return Envelope(null, id, e.Error);
        }
    }
}

/// <summary>A reply and the HTTP status it goes with.</summary>
public sealed record RpcReply(int Status, JsonNode Body)
{
    /// <summary>A refusal of the whole request: without the request's id, as the node does it.</summary>
    public static RpcReply Refuse(int status, int code, string message) => new(status, new JsonObject
    {
        ["error"] = new JsonObject { ["code"] = code, ["id"] = null, ["message"] = message },
        ["jsonrpc"] = "2.0",
        ["result"] = null,
    });
}
