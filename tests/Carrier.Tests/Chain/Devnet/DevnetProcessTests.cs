using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Carrier.Tests.Architecture;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>What a user does, with the devnet in one process and every command in another: over real HTTP, over the peer protocol, and with nothing but curl.</summary>
public sealed class DevnetProcessTests : IDisposable
{
    private const string Words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    /// <summary>The address of <see cref="Words"/>: recorded in keys.json.</summary>
    private const string Address = "EdB7W1rRh5KgUha9Wa676ZRmr18voCDS6k";
    private const string Stranger = "ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Curl_alone_asks_for_the_block_count_as_the_document_says()
    {
        string line = File.ReadLines(Path.Combine(Repository.Root, "docs", "chain.md")).Single(text => text.StartsWith("$ curl", StringComparison.Ordinal));
        await using DevnetProcess devnet = await DevnetProcess.StartAsync("--user", "user", "--password", "password");
        Assert.Contains("for development and tests", devnet.Warning, StringComparison.Ordinal);
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(line[2..].Replace("127.0.0.1:22336", devnet.Address.Authority, StringComparison.Ordinal));
        using Process curl = Process.Start(start)!;
        JsonNode reply = JsonNode.Parse(await curl.StandardOutput.ReadToEndAsync())!;
        await curl.WaitForExitAsync();
        Assert.Equal(102, reply["result"]!.GetValue<int>()); // genesis, a hundred to make its coins mature, and one that splits them
    }

    [Fact]
    public async Task Wallet_over_http_pays_records_and_proves() => await PayRecordAndProveAsync(devnet => ["--node", devnet.Address.ToString()]);

    [Fact]
    public async Task Wallet_over_peers_alone_pays_records_and_proves() => await PayRecordAndProveAsync(devnet => ["--peer", devnet.Peer]);

    [Fact]
    public async Task Registration_and_names_from_commit_to_an_offline_proof()
    {
        await using DevnetProcess devnet = await DevnetProcess.StartAsync();
        string home = await InitAsync();
        await devnet.PayAsync(Address, "10");
        string[] chain = ["--home", home, "--json", "--network", "devnet", "--node", devnet.Address.ToString()];
        Task<CarrierProcess.Ending> Run(params string[] command) => CarrierProcess.RunAsync("", [.. command, .. chain]);

        CarrierProcess.Ending absent = await Run("registry", "exists", Address);
        Assert.Equal((4, false), (absent.Code, absent.Line("registration").GetProperty("registered").GetBoolean()));
        (await Run("registry", "register")).Well();
        await devnet.MineAsync(1);
        JsonElement registered = (await Run("registry", "exists", Address)).Well().Line("registration");
        Assert.Equal((103, "ProofOfWork"), (registered.GetProperty("height").GetInt32(), registered.Text("checked")));
        Assert.Equal(2, (await Run("registry", "revoke", "99999999999")).Code); // it would be this device
        (await Run("registry", "revoke", "1000")).Well();
        await devnet.MineAsync(1);

        (await Run("name", "commit", "alice")).Well();
        await devnet.MineAsync(1);
        CarrierProcess.Ending early = await Run("name", "reveal", "alice.ela");
        Assert.Equal(1, early.Code);
        Assert.Contains("from block 108 on", early.Text, StringComparison.Ordinal);
        await devnet.MineAsync(2);
        (await Run("name", "reveal", "alice")).Well();
        await devnet.MineAsync(1);
        JsonElement name = (await Run("name", "resolve", "alice")).Well().Line("name");
        Assert.Equal((108, 108 + 262_800), (name.GetProperty("registeredAt").GetInt32(), name.GetProperty("expiry").GetInt32()));

        (await Run("name", "renew", "alice")).Well();
        await devnet.MineAsync(1);
        (await Run("name", "transfer", "alice", Stranger)).Well();
        await devnet.MineAsync(1);
        Assert.Equal(5, (await Run("name", "renew", "alice")).Code); // not ours any more
        string nameProof = _folder.File("alice.proof");
        string idProof = _folder.File("id.proof");
        (await Run("name", "prove", "alice", nameProof)).Well();
        (await Run("registry", "prove", Address, idProof)).Well();

        // A third party: no home, no network.
        JsonElement shown = (await CarrierProcess.RunAsync("", "name", "verify", nameProof, "--offline", "--json", "--home", _folder.File("none"))).Well().Line("name");
        Assert.Equal((name.Text("name"), 108 + (2 * 262_800)), (shown.Text("name"), shown.GetProperty("expiry").GetInt32()));
        Assert.NotEqual(name.Text("owner"), shown.Text("owner"));
        JsonElement holds = (await CarrierProcess.RunAsync("", "registry", "verify", idProof, "--offline", "--json", "--home", _folder.File("none"))).Well().Line("registration");
        Assert.Equal(1000, holds.GetProperty("serialFloor").GetInt32());
        Assert.Equal(registered.Text("delegationRoot"), holds.Text("delegationRoot"));
        Assert.Equal("ProofOfWork", (await Run("registry", "verify", idProof)).Well().Line("registration").Text("checked"));
    }

    private async Task PayRecordAndProveAsync(Func<DevnetProcess, string[]> asked)
    {
        await using DevnetProcess devnet = await DevnetProcess.StartAsync();
        string home = await InitAsync();
        await devnet.PayAsync(Address, "25");
        string[] wallet = ["--home", home, "--json", "--network", "devnet", .. asked(devnet)];
        Task<CarrierProcess.Ending> Run(params string[] command) => CarrierProcess.RunAsync("", ["wallet", .. command, .. wallet]);

        CarrierProcess.Ending balance = (await Run("balance")).Well();
        Assert.Equal(("25", "ProofOfWork"), (balance.Line("balance").Text("confirmed"), balance.Line("chain").Text("checked")));
        string paid = (await Run("send", Stranger, "1.5", "--note", "rent")).Well().Line("payment").Text("transactionId");
        Assert.Equal("Pending", (await Run("history")).Well().Lines.Single(line => line.Text("type") == "history" && line.Text("transactionId") == paid).Text("state"));
        await devnet.MineAsync(1);

        string file = _folder.File("contract");
        await File.WriteAllTextAsync(file, "a contract");
        string anchored = (await Run("record", file)).Well().Line("payment").Text("transactionId");
        await devnet.MineAsync(1);
        string proof = _folder.File("contract.proof");
        (await Run("record", "prove", anchored, proof)).Well();
        JsonElement verified = (await Run("record", "verify", proof, file)).Well().Line("proof");
        Assert.Equal(("OnChain", "ProofOfWork", true), (verified.Text("standing"), verified.Text("checked"), verified.GetProperty("fileMatches").GetBoolean()));
        Assert.Equal("23.49980000", (await Run("balance")).Well().Line("balance").Text("confirmed"));
        Assert.Equal("1.5", Amount(await devnet.CallAsync("getreceivedbyaddress", new JsonObject { ["address"] = Stranger })));
    }

    private async Task<string> InitAsync()
    {
        string home = _folder.File("home");
        (await CarrierProcess.RunAsync(Words, "init", "--restore", "--no-passphrase", "--home", home, "--json")).Well();
        return home;
    }

    private static string Amount(JsonNode? node) => node!.GetValue<string>().TrimEnd('0');
}
