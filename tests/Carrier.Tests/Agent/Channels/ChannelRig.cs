using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Carrier.Agent.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Tests.Agent.Tunnels;
using Carrier.Tests.Bootstrap;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Agent.Channels;

/// <summary>Real processes on loopback: a seed, <c>carrier devnet</c>, the daemons of two homes <c>a</c> and <c>b</c>, and the commands that ask them. Disposing kills them all.</summary>
internal sealed class ChannelRig : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

    /// <summary>A session whose other end was killed is given up after its idle timeout, a minute; then the payer dials again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly TemporaryFolder _folder = new();
    private readonly List<Process> _processes = [];
    private readonly Dictionary<string, Process> _daemons = [];
    private readonly HttpClient _http = new();
    private SeedProcess? _seed;
    private Uri? _node;
    private string[] _chain = [];

    /// <summary>TrustID and address of a home.</summary>
    public Dictionary<string, (string Id, string Address)> Who { get; } = [];

    /// <summary>Two agents with channels on, <c>b</c> taking those of <c>a</c>, and ten ELA in <c>a</c>'s wallet.</summary>
    public static async Task<ChannelRig> StartAsync(string confirmations = "1")
    {
        var rig = new ChannelRig();
        try
        {
            rig._seed = await SeedProcess.StartAsync(rig._folder.File("seed"));
            Process devnet = rig.Start("devnet-home", "devnet", "--port", "0");
            string[] ready = (await LineAsync(devnet, "READY ")).Split(' ');
            rig._node = new Uri(ready[1]);
            rig._chain = ["--network", "devnet", "--node", ready[1]];
            foreach (string home in (string[])["a", "b"])
            {
                JsonElement made = (await rig.RunAsync(home, "init", "--no-passphrase", "--json")).Lines[0];
                rig.Who[home] = (made.GetProperty("trustId").GetString()!, made.GetProperty("address").GetString()!);
            }

            Assert.Equal(0, (await rig.RunAsync("b", "channel", "accept", "--from", rig.Who["a"].Id, "--always-on", "true", "--confirmations", confirmations)).Code);
            await rig.CallAsync("devnetfaucet", new JsonObject { ["address"] = rig.Who["a"].Address, ["amount"] = "10" });
            await rig.MineAsync(1);
            await Task.WhenAll(rig.UpAsync("a", rig._chain), rig.UpAsync("b", rig._chain));
            return rig;
        }
        catch
        {
            await rig.DisposeAsync();
            throw;
        }
    }

    public string File(string name) => _folder.File(name);

    /// <summary>Starts a daemon; the chain is remembered by its home after the first time.</summary>
    public async Task UpAsync(string home, params string[] more)
    {
        Process daemon = Start(home, ["up", "--seed", _seed!.Address.ToString(), "--no-port-mapping", "--no-mdns", .. more]);
        _daemons[home] = daemon;
        await LineAsync(daemon, "READY ");
    }

    /// <summary>SIGKILL: nothing of it runs any more.</summary>
    public async Task KillAsync(string home)
    {
        _daemons[home].Kill();
        await _daemons[home].WaitForExitAsync();
    }

    /// <summary>Runs a command to its end.</summary>
    public async Task<(int Code, JsonElement[] Lines)> RunAsync(string home, params IEnumerable<string> arguments) => await ResultAsync(Start(home, arguments));

    /// <summary>Runs a command that asks the chain itself.</summary>
    public Task<(int Code, JsonElement[] Lines)> RunOnChainAsync(string home, params IEnumerable<string> arguments) => RunAsync(home, [.. arguments, .. _chain]);

    public Process Start(string home, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Carrier.Agent.dll"), "--home", _folder.File(home), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        _ = process.StandardError.ReadToEndAsync();
        _processes.Add(process);
        return process;
    }

    public static async Task<(int Code, JsonElement[] Lines)> ResultAsync(Process process)
    {
        string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(SeedProcess.Patience);
        await process.WaitForExitAsync().WaitAsync(SeedProcess.Patience);
        return (process.ExitCode, [.. output.Split('\n').Where(line => line.StartsWith('{')).Select(line => JsonDocument.Parse(line).RootElement)]);
    }

    /// <summary>Opens a channel from <c>a</c> to <c>b</c> and mines what its command waits for.</summary>
    public async Task OpenAsync(string amount, string window, int blocks, int confirmations = 1)
    {
        Process open = Start(
            "a", "channel", "open", Who["b"].Id, amount, "--window", window, "--blocks", $"{blocks}", "--confirmations", $"{confirmations}", "--json");
        await UntilAsync(async () => (await PoolAsync()).Count == 1);
        await MineAsync(confirmations);
        Assert.Equal(0, (await ResultAsync(open)).Code);
        await UntilAsync("b", channel => channel.State == "Open");
    }

    /// <summary>What a daemon says of its only channel; null while it has none, or is not there.</summary>
    public async Task<ChannelReport?> ShowAsync(string home)
    {
        await using ControlClient? client = await ControlClient.TryConnectAsync(AgentHome.At(_folder.File(home)), CancellationToken.None);
        if (client is null)
        {
            return null;
        }

        var heard = new TunnelRig.Conversation();
        await client.RunAsync(new ChannelsRequest(null), heard, CancellationToken.None).WaitAsync(SeedProcess.Patience);
        return heard.Replies.OfType<ChannelReply>().SingleOrDefault()?.Channel;
    }

    public async Task<ChannelReport> UntilAsync(string home, Func<ChannelReport, bool> holds)
    {
        ChannelReport? seen = null;
        try
        {
            await UntilAsync(async () => (seen = await ShowAsync(home)) is not null && holds(seen));
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{home} was waited for in vain; it said last: {seen}");
        }

        return seen!;
    }

    public static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await holds())
        {
            await Task.Delay(LookEvery, patience.Token);
        }
    }

    public async Task MineAsync(int blocks) => await CallAsync("devnetmine", new JsonObject { ["count"] = blocks });

    public async Task<JsonArray> PoolAsync() => (JsonArray)(await CallAsync("getrawmempool", []))!;

    public async Task<uint> HeightAsync() => (await CallAsync("getblockcount", []))!.GetValue<uint>() - 1;

    /// <summary>Every transaction of the blocks from a height on, but for those that make their coins.</summary>
    public async Task<List<string>> TransactionsSinceAsync(uint height)
    {
        List<string> found = [];
        for (uint last = await HeightAsync(); height <= last; height++)
        {
            string hash = (await CallAsync("getblockhash", new JsonObject { ["height"] = height }))!.GetValue<string>();
            JsonNode block = (await CallAsync("getblock", new JsonObject { ["blockhash"] = hash, ["verbosity"] = 1 }))!;
            found.AddRange(((JsonArray)block["tx"]!).Skip(1).Select(id => id!.GetValue<string>()));
        }

        return found;
    }

    /// <summary>All that an address was ever paid and has not spent, in ELA.</summary>
    public async Task<decimal> BalanceAsync(string home) => decimal.Parse(
        (await CallAsync("getreceivedbyaddress", new JsonObject { ["address"] = Who[home].Address }))!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }

            process.Dispose();
        }

        _seed?.Dispose();
        _http.Dispose();
        _folder.Dispose();
    }

    private static async Task<string> LineAsync(Process process, string begin)
    {
        while (true)
        {
            string? line = await process.StandardOutput.ReadLineAsync().WaitAsync(SeedProcess.Patience);
            Assert.True(line is not null, "The process ended early.");
            if (line.StartsWith(begin, StringComparison.Ordinal))
            {
                return line;
            }
        }
    }

    private async Task<JsonNode?> CallAsync(string method, JsonObject parameters)
    {
        var call = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = method, ["params"] = parameters };
        using var content = new StringContent(call.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await _http.PostAsync(_node, content);
        JsonNode reply = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Null(reply["error"]);
        return reply["result"];
    }
}
