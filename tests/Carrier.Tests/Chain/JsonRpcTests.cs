using System.Net;
using System.Text;
using Carrier.Chain.Access;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain;

/// <summary>Real HTTP on loopback: nodes that stall, drip, truncate, flood and nest.</summary>
public class JsonRpcTests
{
    private static readonly RpcPatience Impatient = ChainAccessTests.Patient with { WholeAnswer = TimeSpan.FromSeconds(2) };

    [Theory]
    [InlineData("stall", NodeFault.TimedOut)]
    [InlineData("drip", NodeFault.TimedOut)]
    [InlineData("truncate", NodeFault.Unreachable)]
    [InlineData("flood", NodeFault.TooLarge)]
    [InlineData("nonsense", NodeFault.Malformed)]
    [InlineData("nest", NodeFault.Malformed)]
    [InlineData("redirect", NodeFault.Http)]
    [InlineData("wrong-id", NodeFault.Malformed)]
    public async Task Misbehaviour_of_the_wire_costs_time_only(string kind, NodeFault fault)
    {
        await using var hostile = new FixtureNode(FixtureNode.RecordedBlocks());
        await using var honest = new FixtureNode(FixtureNode.RecordedBlocks());
        hostile.TakeOver = context => MisbehaveAsync(context, kind);
        using var folder = new TemporaryFolder();
        using ChainAccess access = ChainAccessTests.Open(folder, kind == "flood" ? ChainAccessTests.Patient : Impatient, hostile, honest);
        SyncReport report = await access.SyncAsync(CancellationToken.None);
        Assert.Equal(262u, report.Height);
        Assert.Equal(fault, report.Nodes.Single(node => node.Node == hostile.Endpoint.Name).Fault);
        Assert.True(report.Nodes.Single(node => node.Node == honest.Endpoint.Name).Agrees);
    }

    [Fact]
    public async Task Wrong_password_is_said()
    {
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        using var rpc = new RpcNode(node.Endpoint with { Password = "wrong" }, Impatient);
        NodeAnswer<uint> answer = await rpc.HeightAsync(CancellationToken.None);
        Assert.Equal((NodeFault.Http, 401), (answer.Fault, answer.Code));
        Assert.DoesNotContain("pass", node.Endpoint.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_is_repeated_when_nobody_answered()
    {
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        int failures = 2;
        node.TakeOver = context => failures-- > 0 ? MisbehaveAsync(context, "truncate") : Task.FromResult(false);
        using var rpc = new RpcNode(node.Endpoint, Impatient with { Retries = 2 });
        NodeAnswer<uint> answer = await rpc.HeightAsync(CancellationToken.None);
        Assert.Equal((NodeFault.None, 262u), (answer.Fault, answer.Value));
        Assert.Equal(3, node.Requests);
    }

    [Fact]
    public void Recorded_refusals_are_told_apart()
    {
        int told = 0;
        foreach (var entry in ChainVectors.Lines("rpc.jsonl").Where(e => e.TryGetProperty("request", out var r) && r.ValueKind == System.Text.Json.JsonValueKind.Object && r.TryGetProperty("method", out var m) && m.GetString() == "sendrawtransaction"))
        {
            var error = entry.GetProperty("response").GetProperty("error");
            if (error.ValueKind != System.Text.Json.JsonValueKind.Object)
            {
                continue;
            }

            string name = entry.Text("name");
            SendOutcome outcome = SendOutcomes.OfMessage(error.Text("message"));
            told += outcome == SendOutcome.Refused ? 0 : 1;
            if (name.Contains("fee_", StringComparison.Ordinal))
            {
                Assert.Equal(SendOutcome.FeeTooLow, outcome);
            }
            else if (name.Contains("locked", StringComparison.Ordinal) || name.Contains("immature", StringComparison.Ordinal))
            {
                Assert.Equal(SendOutcome.Locked, outcome);
            }
        }

        Assert.True(told > 15);
    }

    private static async Task<bool> MisbehaveAsync(HttpListenerContext context, string kind)
    {
        HttpListenerResponse response = context.Response;
        response.ContentType = "application/json";
        switch (kind)
        {
            case "stall":
                await Task.Delay(TimeSpan.FromSeconds(3));
                response.Abort();
                break;
            case "drip":
                for (int i = 0; i < 30; i++)
                {
                    await response.OutputStream.WriteAsync(" "u8.ToArray());
                    await response.OutputStream.FlushAsync();
                    await Task.Delay(100);
                }

                response.Abort();
                break;
            case "truncate":
                response.ContentLength64 = 1000;
                await response.OutputStream.WriteAsync("{\"id\":1"u8.ToArray());
                await response.OutputStream.FlushAsync();
                response.Abort();
                break;
            case "flood":
                byte[] blanks = new byte[1 << 20];
                blanks.AsSpan().Fill((byte)' ');
                for (int i = 0; i < 64; i++)
                {
                    await response.OutputStream.WriteAsync(blanks);
                }

                response.Close();
                break;
            case "redirect":
                response.Redirect("http://127.0.0.1:1/");
                response.Close();
                break;
            default:
                string text = kind switch
                {
                    "nest" => new string('[', 100_000),
                    "wrong-id" => "{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":5,\"error\":null}",
                    _ => "<html>",
                };
                await response.OutputStream.WriteAsync(Encoding.ASCII.GetBytes(text));
                response.Close();
                break;
        }

        return true;
    }
}
