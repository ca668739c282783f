using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Carrier.Chain.Primitives;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Hosting;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>The devnet over real HTTP on loopback: the node's refusals, the faucet, blocks on demand, and its file.</summary>
public class DevnetNodeTests
{
    [Fact]
    public async Task Post_recorded_http_refusals_same_status_and_words()
    {
        await using DevnetNode node = await StartAsync(new DevnetOptions { RpcPort = 0, User = "user", Password = "pass" });
        using var http = new HttpClient();
        int compared = 0;
        foreach (JsonNode exchange in RecordedChain.Lines("rpc.jsonl"))
        {
            if (exchange["http_status"]!.GetValue<int>() is not (401 or 405 or 415))
            {
                continue;
            }

            using var request = new HttpRequestMessage(new HttpMethod(exchange["http_method"]?.GetValue<string>() ?? "POST"), node.Address);
            if (request.Method == HttpMethod.Post)
            {
                request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(exchange["request"]!.ToJsonString()));
                request.Content.Headers.ContentType = new MediaTypeHeaderValue(exchange["request_content_type"]?.GetValue<string>() ?? "application/json");
            }

            string auth = exchange["auth"]!.GetValue<string>();
            request.Headers.Authorization = auth switch
            {
                "none" => null,
                "user:pass" => new AuthenticationHeaderValue("Basic", Convert.ToBase64String("user:pass"u8)),
                _ => AuthenticationHeaderValue.Parse(auth),
            };
            using HttpResponseMessage response = await http.SendAsync(request);
            Assert.Equal(exchange["http_status"]!.GetValue<int>(), (int)response.StatusCode);
            Assert.True(JsonNode.DeepEquals(exchange["response"], JsonNode.Parse(await response.Content.ReadAsStringAsync())));
            compared++;
        }

        Assert.Equal(4, compared);
    }

    [Fact]
    public async Task Post_with_a_foreign_host_name_is_refused()
    {
        await using DevnetNode node = await StartAsync(new DevnetOptions { RpcPort = 0 });
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, node.Address) { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
        request.Headers.Host = "evil.example";
        using HttpResponseMessage response = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Fact]
    public async Task Faucet_pays_and_the_coin_is_there_after_a_block_and_after_a_restart()
    {
        string folder = Directory.CreateTempSubdirectory("devnet-").FullName;
        try
        {
            Assert.True(ProgramHash.TryParse("ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg", out ProgramHash owner));
            string tip;
            await using (DevnetNode node = await StartAsync(new DevnetOptions { RpcPort = 0, Folder = folder }))
            {
                JsonNode paid = await CallAsync(node, """{"id":1,"method":"devnetfaucet","params":{"address":"ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg","amount":"12.5"}}""");
                Assert.Equal(64, paid["result"]!.GetValue<string>().Length);
                Assert.Equal("0", (await CallAsync(node, Received))["result"]!.GetValue<string>());
                _ = await CallAsync(node, """{"id":1,"method":"devnetmine","params":{"count":3}}""");
                _ = await CallAsync(node, """{"id":1,"method":"devnetrewind","params":{"blocks":1}}""");
                Assert.Equal("12.50000000", (await CallAsync(node, Received))["result"]!.GetValue<string>());
                tip = (await CallAsync(node, """{"id":1,"method":"getbestblockhash"}"""))["result"]!.GetValue<string>();
            }

            await using (DevnetNode again = await StartAsync(new DevnetOptions { RpcPort = 0, Folder = folder }))
            {
                Assert.Equal(tip, (await CallAsync(again, """{"id":1,"method":"getbestblockhash"}"""))["result"]!.GetValue<string>());
                Assert.Equal("12.50000000", (await CallAsync(again, Received))["result"]!.GetValue<string>());
                Assert.NotEqual(owner, Faucet.Owner);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Open_with_a_torn_last_record_drops_it()
    {
        string folder = Directory.CreateTempSubdirectory("devnet-").FullName;
        try
        {
            uint height;
            await using (DevnetNode node = await StartAsync(new DevnetOptions { RpcPort = 0, Folder = folder }))
            {
                node.Mine(2);
                height = node.Use((chain, _) => chain.Height);
            }

            string file = Path.Combine(folder, "blocks.dat");
            await using (var torn = new FileStream(file, FileMode.Open))
            {
                torn.SetLength(torn.Length - 7);
            }

            await using DevnetNode again = await StartAsync(new DevnetOptions { RpcPort = 0, Folder = folder });
            Assert.Equal(height - 1, again.Use((chain, _) => chain.Height));
            again.Mine(1);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private const string Received = """{"id":1,"method":"getreceivedbyaddress","params":{"address":"ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg"}}""";

    private static Task<DevnetNode> StartAsync(DevnetOptions options) => DevnetNode.StartAsync(options, TimeProvider.System);

    private static async Task<JsonNode> CallAsync(DevnetNode node, string body)
    {
        using var http = new HttpClient();
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await http.PostAsync(node.Address, content);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }
}
