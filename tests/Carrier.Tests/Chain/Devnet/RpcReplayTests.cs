using System.Text.Json.Nodes;
using Carrier.Chain.Blocks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Devnet.Rpc;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>Every JSON-RPC exchange recorded from a real node, asked of the devnet over the recorded chain.</summary>
/// <remarks>
/// Answers are compared whole. What cannot be equal is compared for what it means: hashes of blocks mined now, a choice among equal coins, the hash rate, and
/// the words for broken JSON, which are those of another parser. The node writes an output's empty payload as <c>null</c> or <c>{}</c> as it comes; so they are one.
/// </remarks>
public class RpcReplayTests
{
    [Fact]
    public void Answer_every_recorded_request_as_the_node_did()
    {
        using var recorded = new RecordedChain();
        var service = new RpcService(recorded.Chain, recorded[1].Transactions[0].Outputs[1].Owner, () => RecordedChain.Now);
        int compared = 0;
        foreach (JsonNode exchange in RecordedChain.Lines("rpc.jsonl"))
        {
            string name = exchange["name"]!.GetValue<string>();
            Prepare(recorded, exchange);
            if (exchange["http_status"]!.GetValue<int>() is 401 or 405 or 415)
            {
                continue; // HTTP's own, in RpcServerTests
            }

            byte[] body = System.Text.Encoding.UTF8.GetBytes(exchange["request"]?.ToJsonString() ?? exchange["request_raw"]!.GetValue<string>());
            RpcReply reply = service.Answer(body);
            Assert.Equal(exchange["http_status"]!.GetValue<int>(), reply.Status);
            JsonNode answer = JsonNode.Parse(reply.Body.ToJsonString())!;
            AssertSame(name, exchange, answer, recorded);
            compared++;
        }

        Assert.Equal(171, compared);
    }

    private static void Prepare(RecordedChain recorded, JsonNode exchange)
    {
        uint tip = exchange["tip_height"]!.GetValue<uint>();
        if (exchange["group"]!.GetValue<string>() == "mining" && recorded.Chain.Height > tip)
        {
            recorded.Chain.Rewind((int)(recorded.Chain.Height - tip));
        }

        if (recorded.Chain.Height > tip || (recorded.Chain.Height == tip && recorded.Chain.Tip.Header.Hash != recorded[tip].Header.Hash))
        {
            recorded.Chain.Rewind((int)(recorded.Chain.Height - Math.Min(tip, 192u)));
        }

        recorded.AdvanceTo(tip);
        if (exchange["group"]!.GetValue<string>() == "aux" && tip < 192)
        {
            // The template the node had made: its block as it was later completed.
            Block block = recorded[tip + 1];
            recorded.Chain.AddTemplate(block with { Proof = default });
        }
    }

    private static void AssertSame(string name, JsonNode exchange, JsonNode answer, RecordedChain recorded)
    {
        JsonNode expected = exchange["response"]!;
        switch (name)
        {
            case "discretemining" or "discretemining_3":
                JsonNode mined = Assert.Single(answer["result"]!.AsArray())!;
                Assert.Equal(recorded.Chain.Tip.Header.Hash.ToString(), mined.GetValue<string>());
                Assert.Equal(expected["id"]!.ToJsonString(), answer["id"]!.ToJsonString());
                break;
            case "createauxblock":
                answer["result"]!["hash"] = expected["result"]!["hash"]!.DeepClone(); // its coinbase has a nonce of its own
                AssertEqual(name, expected, answer);
                break;
            case "getmininginfo":
                answer["result"]!["networkhashps"] = expected["result"]!["networkhashps"]!.DeepClone();
                AssertEqual(name, expected, answer);
                break;
            case "not_json" or "empty_body":
                Assert.Equal(expected["error"]!["code"]!.GetValue<int>(), answer["error"]!["code"]!.GetValue<int>());
                Assert.StartsWith("JSON-RPC request parsing error:", answer["error"]!["message"]!.GetValue<string>(), StringComparison.Ordinal);
                break;
            case "getutxosbyamount" or "getutxosbyamount_unused":
                AssertSameCoins(expected["result"]!.AsArray(), answer["result"]!.AsArray(), recorded);
                break;
            default:
                AssertEqual(name, expected, answer);
                break;
        }
    }

    /// <summary>As many coins of as much, and each of them unspent.</summary>
    private static void AssertSameCoins(JsonArray expected, JsonArray actual, RecordedChain recorded)
    {
        Assert.Equal(expected.Select(coin => coin!["amount"]!.GetValue<string>()), actual.Select(coin => coin!["amount"]!.GetValue<string>()));
        foreach (JsonNode? coin in actual)
        {
            Assert.True(Hash256.TryParse(coin!["txid"]!.GetValue<string>(), out Hash256 txid));
            Assert.True(recorded.Chain.Ledger.Coins.ContainsKey(new OutPoint(txid, coin["vout"]!.GetValue<ushort>())));
        }
    }

    private static void AssertEqual(string name, JsonNode expected, JsonNode actual) =>
        Assert.True(JsonNode.DeepEquals(Settled(expected), Settled(actual)), $"{name}\nexpected {Settled(expected)!.ToJsonString()}\nactual   {Settled(actual)!.ToJsonString()}");

    /// <summary>The same JSON with an output's empty payload in one form.</summary>
    private static JsonNode? Settled(JsonNode? node) => node switch
    {
        JsonObject whole => new JsonObject(whole.Select(member => KeyValuePair.Create(
            member.Key, member.Key == "payload" && member.Value is JsonObject { Count: 0 } ? null : Settled(member.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Settled)]),
        _ => node?.DeepClone(),
    };
}
