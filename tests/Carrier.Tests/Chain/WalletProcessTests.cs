using System.Diagnostics;
using System.Text.Json;
using Carrier.Chain.Blocks;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Registry;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain;

/// <summary><c>carrier wallet</c> as a user runs it: a process of its own, over real HTTP, with exit codes and JSON lines.</summary>
public class WalletProcessTests
{
    private const string Words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    /// <summary>The address of <see cref="Words"/>: recorded in keys.json.</summary>
    private const string Address = "EdB7W1rRh5KgUha9Wa676ZRmr18voCDS6k";

    [Fact]
    public async Task Wallet_pays_records_and_proves_end_to_end()
    {
        using var folder = new TemporaryFolder();
        List<Block> blocks = Chain();
        await using var first = new FixtureNode(blocks);
        await using var second = new FixtureNode(blocks);
        string home = folder.File("home");
        CarrierProcess.Ending made = await CarrierProcess.RunAsync(Words, "init", "--restore", "--no-passphrase", "--home", home, "--json");
        Assert.True(made.Code == 0, made.Text);

        string[] wallet = ["--home", home, "--json", "--network", "devnet", "--foundation", Address, "--node", With(first), "--node", With(second)];
        var balance = await CarrierProcess.RunAsync("", ["wallet", "balance", .. wallet]);
        Assert.True(balance.Code == 0, balance.Text);
        Assert.Equal(("33000000", 2), (Line(balance.Lines, "balance").Text("confirmed"), Line(balance.Lines, "balance").GetProperty("nodesAnswered").GetInt32()));
        Assert.Equal("ProofOfWork", Line(balance.Lines, "chain").Text("checked"));

        string file = folder.File("contract");
        await File.WriteAllTextAsync(file, "a contract");
        var recorded = await CarrierProcess.RunAsync("", ["wallet", "record", file, .. wallet]);
        Assert.True(recorded.Code == 0, recorded.Text);
        string id = Line(recorded.Lines, "payment").Text("transactionId");
        Assert.Equal(id, Assert.Single(first.Pool).Id.ToString());
        Assert.Equal(id, Assert.Single(second.Pool).Id.ToString());
        // The only coin is on its way: nothing can be spent until that is mined.
        Assert.Equal(1, (await CarrierProcess.RunAsync("", ["wallet", "send", "ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg", "1.5", .. wallet])).Code);

        blocks.Add(FixtureNode.Mine(blocks[^1], first.Pool));
        first.SetBlocks(blocks);
        second.SetBlocks(blocks);
        first.Pool.Clear();
        var sent = await CarrierProcess.RunAsync("", ["wallet", "send", "ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg", "1.5", "--note", "rent", .. wallet]);
        Assert.True(sent.Code == 0, sent.Text);
        Assert.Equal(150_000_000, Assert.Single(first.Pool).Outputs[0].Value.Value);

        string proof = folder.File("contract.proof");
        Assert.Equal(0, (await CarrierProcess.RunAsync("", ["wallet", "record", "prove", id, proof, .. wallet])).Code);
        var verified = await CarrierProcess.RunAsync("", ["wallet", "record", "verify", proof, file, .. wallet]);
        Assert.Equal(("OnChain", true), (Line(verified.Lines, "proof").Text("standing"), Line(verified.Lines, "proof").GetProperty("fileMatches").GetBoolean()));
        var offline = await CarrierProcess.RunAsync("", "wallet", "record", "verify", proof, file, "--offline", "--json", "--home", folder.File("elsewhere"));
        Assert.Equal("ProofOfWorkOnly", Line(offline.Lines, "proof").Text("standing"));
        await File.AppendAllTextAsync(file, "!");
        Assert.Equal(5, (await CarrierProcess.RunAsync("", "wallet", "record", "verify", proof, file, "--offline", "--json")).Code);

        var history = await CarrierProcess.RunAsync("", ["wallet", "history", .. wallet]);
        Assert.Contains(history.Lines, line => line.Text("type") == "history" && line.Text("note") == "rent" && line.Text("state") == "Pending");
        Assert.Contains(history.Lines, line => line.Text("type") == "history" && line.Text("kind") == "Record" && line.Text("state") == "Mined");

        // No key, passphrase or mnemonic is ever printed.
        string everything = string.Join('\n', made.Text, sent.Text, history.Text, string.Join('\n', history.Lines.Select(line => line.GetRawText())));
        Assert.DoesNotContain("abandon", everything, StringComparison.Ordinal);
        Assert.DoesNotContain("pass@", everything, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commitment_killed_before_it_leaves_goes_on_with_the_same_salt_and_is_paid_once()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are Unix's.");
        using var folder = new TemporaryFolder();
        await using var node = new FixtureNode(Chain());
        string home = folder.File("home");
        _ = (await CarrierProcess.RunAsync(Words, "init", "--restore", "--no-passphrase", "--home", home, "--json")).Well();
        string[] commit = ["name", "commit", "alice", "--home", home, "--json", "--network", "devnet", "--foundation", Address, "--node", With(node)];

        using var handedIn = new ManualResetEventSlim();
        using var killed = new ManualResetEventSlim();
        node.Lie = (method, _, result) =>
        {
            if (method == "sendrawtransaction")
            {
                handedIn.Set();
                killed.Wait(TimeSpan.FromMinutes(2)); // it never arrives
            }

            return result;
        };
        using (Process first = CarrierProcess.Start(commit))
        {
            Assert.True(await Task.Run(() => handedIn.Wait(TimeSpan.FromMinutes(2))));
            first.Kill(); // SIGKILL
            await first.WaitForExitAsync();
        }

        killed.Set();
        node.Lie = null;
        string names = Path.Combine(home, "chain", "devnet", "names.db");
        Assert.True(ProgramHash.TryParse(Address, out ProgramHash account));
        Assert.True(account.TryGetTrustId(out TrustId self));
        Hash256 salt = Salt(names, self);
        node.Pool.Clear();

        CarrierProcess.Ending again = (await CarrierProcess.RunAsync("", commit)).Well();
        Assert.Equal("Waiting", again.Line("payment").Text("result"));
        Assert.Equal(salt, Salt(names, self));
        Assert.True(RegistryRecord.TryRead(Assert.Single(node.Pool), out RegistryRecord? record));
        Assert.Equal(RegistryRecord.Commitment(self, salt, "alice"), record.Hash);
    }

    private static Hash256 Salt(string names, TrustId owner)
    {
        using NameSecrets secrets = NameSecrets.Open(names);
        Assert.True(secrets.TryGet(owner, "alice", out Hash256 salt));
        return salt;
    }

    [Theory]
    [InlineData(2, "wallet", "balance", "--network", "devnet")]
    [InlineData(2, "wallet", "send", "nobody", "1")]
    [InlineData(2, "wallet", "send", "ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg", "1,5")]
    [InlineData(0, "wallet", "--help")]
    public async Task Exit_codes_say_what_was_wrong(int code, params string[] line) => Assert.Equal(code, (await CarrierProcess.RunAsync("", line)).Code);

    private static string With(FixtureNode node) => $"http://user:pass@{node.Endpoint.Address.Authority}";

    private static JsonElement Line(JsonElement[] lines, string type) => lines.Single(line => line.Text("type") == type);

    /// <summary>A private chain whose genesis pays the wallet, old enough for that to be spent.</summary>
    private static List<Block> Chain()
    {
        Assert.True(ProgramHash.TryParse(Address, out ProgramHash owner));
        List<Block> blocks = [new Block(Genesis.Create(owner), Array.Empty<byte>(), Genesis.Transactions(owner))];
        for (int i = 0; i < 100; i++)
        {
            blocks.Add(FixtureNode.Mine(blocks[^1], []));
        }

        return blocks;
    }
}
