using System.Text.Json.Nodes;
using Carrier.Chain.Transactions;
using Carrier.Devnet.Ledger;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>Every step of the channel scenarios recorded from a real node, with its verdicts, words and pool, on the devnet.</summary>
public class ChannelScenarioTests
{
    public static TheoryData<string> Scenarios =>
        [.. RecordedChain.Document("channel.json")["scenarios"]!.AsArray().Select(scenario => scenario!["id"]!.GetValue<string>())];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void Replay_recorded_scenario_same_verdicts_pool_and_blocks(string id)
    {
        JsonNode scenario = RecordedChain.Document("channel.json")["scenarios"]!.AsArray().Single(one => one!["id"]!.GetValue<string>() == id)!;
        JsonObject transactions = scenario["txs"]!.AsObject();
        using var recorded = new RecordedChain();
        int sent = 0;
        foreach (JsonNode? step in scenario["steps"]!.AsArray())
        {
            switch (step!["do"]!.GetValue<string>())
            {
                case "send":
                    recorded.AdvanceTo(step["tip_height"]!.GetValue<uint>());
                    JsonNode transaction = transactions[step["tx"]!.GetValue<string>()]!;
                    AssertVerdict(step, recorded.Chain.Ledger.Submit(Read(transaction[step["form"]?.GetValue<string>() ?? "raw"]!)));
                    sent++;
                    break;
                case "mine":
                    MineLike(step, recorded, transactions);
                    break;
                default:
                    continue;
            }

            string[] waiting = [.. recorded.Chain.Ledger.Pool.Keys.Select(txid => NameOf(transactions, txid.ToString())).Order(StringComparer.Ordinal)];
            Assert.Equal(step["mempool_after"]!.AsArray().Select(name => name!.GetValue<string>()).Order(StringComparer.Ordinal), waiting);
        }

        Assert.True(sent > 0);
    }

    /// <summary>The devnet would mine what the node mined; then it goes on with the node's own block.</summary>
    private static void MineLike(JsonNode step, RecordedChain recorded, JsonObject transactions)
    {
        uint height = step["height"]!.GetValue<uint>();
        Assert.Equal(height, recorded.Chain.Height + 1);
        Assert.Equal(
            step["included"]!.AsArray().Select(name => name!.GetValue<string>()).Order(StringComparer.Ordinal),
            recorded.Chain.Ledger.Mineable().Select(transaction => NameOf(transactions, transaction.Id.ToString())).Order(StringComparer.Ordinal));
        recorded.AdvanceTo(height);
    }

    private static void AssertVerdict(JsonNode step, Verdict verdict)
    {
        JsonNode expected = step["verdict"]!;
        Assert.Equal(expected["accepted"]!.GetValue<bool>() ? "" : expected["message"]!.GetValue<string>(), verdict.Message);
    }

    /// <summary>The scenario's own name; of two forms of one transaction, the one that is no variant.</summary>
    private static string NameOf(JsonObject transactions, string txid) =>
        transactions.First(named => named.Value!["txid"]!.GetValue<string>() == txid && named.Value["variant_of"] is null).Key;

    private static Transaction Read(JsonNode hex)
    {
        Assert.Equal(TransactionReading.Read, Transaction.TryParse(Convert.FromHexString(hex.GetValue<string>()), out Transaction? transaction));
        return transaction!;
    }
}
