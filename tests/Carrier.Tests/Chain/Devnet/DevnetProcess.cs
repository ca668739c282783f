using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace Carrier.Tests.Chain.Devnet;

/// <summary><c>carrier devnet</c> in a process of its own, as its READY line says it is.</summary>
internal sealed class DevnetProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly HttpClient _http = new();

    private DevnetProcess(Process process, string ready, string warning)
    {
        _process = process;
        string[] words = ready.Split(' ');
        Address = new Uri(words[1]);
        Peer = words[Array.IndexOf(words, "peers") + 1];
        Warning = warning;
    }

    public Uri Address { get; }

    public string Peer { get; }

    /// <summary>What it says when it starts.</summary>
    public string Warning { get; }

    public static async Task<DevnetProcess> StartAsync(params string[] arguments)
    {
        Process process = CarrierProcess.Start(["devnet", "--port", "0", .. arguments]);
        string warning = await process.StandardError.ReadLineAsync() ?? "";
        string ready = await process.StandardOutput.ReadLineAsync() ?? "";
        return ready.StartsWith("READY ", StringComparison.Ordinal) ? new DevnetProcess(process, ready, warning) : throw new InvalidOperationException(warning + ready);
    }

    public async Task<JsonNode?> CallAsync(string method, JsonObject parameters)
    {
        var call = new JsonObject { ["id"] = 1, ["method"] = method, ["params"] = parameters };
        using var content = new StringContent(call.ToJsonString(), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await _http.PostAsync(Address, content);
        JsonNode reply = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.True(reply["error"] is null, reply.ToJsonString());
        return reply["result"];
    }

    public Task MineAsync(int blocks) => CallAsync("devnetmine", new JsonObject { ["count"] = blocks });

    public async Task PayAsync(string address, string amount)
    {
        _ = await CallAsync("devnetfaucet", new JsonObject { ["address"] = address, ["amount"] = amount });
        await MineAsync(1);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
