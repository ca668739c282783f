using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Carrier.Agent.Channels;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Agent.Channels;

/// <summary><c>carrier channel</c> as users run it: two daemons, a devnet over HTTP and the commands, all processes of their own. One of them is killed and stays dead, or comes back.</summary>
public sealed class ChannelProcessTests
{
    /// <summary>Kills of either side in the middle of a payment.</summary>
    private static readonly int Kills = LongRun.Kills(10);

    [Fact]
    public async Task Channel_of_many_payments_is_two_transactions_on_the_chain()
    {
        await using ChannelRig rig = await ChannelRig.StartAsync("6");
        uint before = await rig.HeightAsync();
        await rig.OpenAsync("5", "0.5", 200, confirmations: 6);

        (int code, JsonElement[] lines) = await rig.RunAsync("a", "channel", "pay", rig.Who["b"].Id, "0.00001", "--count", "10000", "--json");
        Assert.Equal((0, "0.10000000"), (code, lines[^1].GetProperty("paid").GetString()));
        Assert.Equal("0.10000000", (await rig.ShowAsync("b"))!.Paid);

        Process close = rig.Start("a", "channel", "close", rig.Who["b"].Id, "--json");
        await ChannelRig.UntilAsync(async () => (await rig.PoolAsync()).Count == 1);
        await rig.MineAsync(6);
        (code, lines) = await ChannelRig.ResultAsync(close);
        Assert.Equal(0, code);
        ChannelReport closed = await rig.UntilAsync("a", channel => channel.State == "Closed");
        _ = await rig.UntilAsync("b", channel => channel.State == "Closed");

        Assert.Equal([closed.Channel, closed.Spender!], await rig.TransactionsSinceAsync(before + 1));
        // Two fees: the funding's own and the close's. The ticket is what the refund would have cost, and stays behind.
        Assert.Equal(0.1m, await rig.BalanceAsync("b"));
        Assert.Equal(10m - 0.1m - (2 * 0.0001m) - (2 * 0.0001m), await rig.BalanceAsync("a"));
        (code, lines) = await rig.RunOnChainAsync("b", "wallet", "balance", "--json");
        Assert.Equal((0, "0.10000000"), (code, lines[^1].GetProperty("confirmed").GetString()));
    }

    [Fact]
    public async Task Payee_closes_alone_when_the_payer_is_gone()
    {
        await using ChannelRig rig = await ChannelRig.StartAsync();
        await rig.OpenAsync("1", "1", 100);
        Assert.Equal(0, (await rig.RunAsync("a", "channel", "pay", rig.Who["b"].Id, "0.001", "--count", "250")).Code);
        await rig.KillAsync("a");

        string export = rig.File("close");
        Assert.Equal(0, (await rig.RunAsync("b", "channel", "watchtower", "export", rig.Who["a"].Id, export)).Code);
        Process close = rig.Start("b", "channel", "close", rig.Who["a"].Id, "--json");
        await ChannelRig.UntilAsync(async () => (await rig.PoolAsync()).Count == 1);
        await rig.MineAsync(1);
        Assert.Equal(0, (await ChannelRig.ResultAsync(close)).Code);
        Assert.Equal(0.25m, await rig.BalanceAsync("b"));

        // The export is that same close, and to hand it in again harms nobody.
        Assert.Equal(0, (await rig.RunOnChainAsync("nobody", "channel", "broadcast", export)).Code);
        Assert.Empty(await rig.PoolAsync());
        // Back again, the payer finds its channel over.
        await rig.UpAsync("a");
        await rig.MineAsync(5);
        _ = await rig.UntilAsync("a", channel => channel.State == "Closed");
    }

    [Fact]
    public async Task Anybody_with_the_export_closes_when_the_payee_is_gone_too()
    {
        await using ChannelRig rig = await ChannelRig.StartAsync();
        await rig.OpenAsync("1", "1", 100);
        Assert.Equal(0, (await rig.RunAsync("a", "channel", "pay", rig.Who["b"].Id, "0.25")).Code);
        string export = rig.File("close");
        Assert.Equal(0, (await rig.RunAsync("b", "channel", "watchtower", "export", rig.Who["a"].Id, export)).Code);
        await rig.KillAsync("b");
        Assert.Equal(0, (await rig.RunOnChainAsync("nobody", "channel", "broadcast", export)).Code);
        await rig.MineAsync(1);
        Assert.Equal(0.25m, await rig.BalanceAsync("b"));
    }

    [Fact]
    public async Task Payer_takes_its_deposit_back_after_the_lock_height_when_the_payee_is_gone()
    {
        await using ChannelRig rig = await ChannelRig.StartAsync();
        await rig.OpenAsync("1", "1", 70);
        Assert.Equal(0, (await rig.RunAsync("a", "channel", "pay", rig.Who["b"].Id, "0.25")).Code);
        await rig.KillAsync("b");
        ChannelReport open = (await rig.ShowAsync("a"))!;
        Assert.Equal(1, (await rig.RunAsync("a", "channel", "refund", open.Channel)).Code);

        // The payer is killed too, and does what is due when it is back, whoever asks for it or not.
        await rig.KillAsync("a");
        await rig.MineAsync((int)(open.LockHeight - await rig.HeightAsync()));
        await rig.UpAsync("a");
        await ChannelRig.UntilAsync(async () => (await rig.PoolAsync()).Count == 1);
        Process refund = rig.Start("a", "channel", "refund", open.Channel, "--json");
        await rig.MineAsync(1);
        await ChannelRig.UntilAsync(async () => (await rig.PoolAsync()).Count == 1);
        await rig.MineAsync(6);
        Assert.Equal(0, (await ChannelRig.ResultAsync(refund)).Code);
        _ = await rig.UntilAsync("a", channel => channel.State == "Refunded");
        // All but the fees of funding, gate and refund.
        Assert.Equal(10m - (3 * 0.0001m), await rig.BalanceAsync("a"));
        Assert.Equal(0m, await rig.BalanceAsync("b"));
    }

    [Fact]
    public async Task Either_side_killed_while_paying_loses_nothing_that_was_acknowledged()
    {
        const string Window = "0.01";
        await using ChannelRig rig = await ChannelRig.StartAsync();
        await rig.OpenAsync("9", Window, 1_000);
        for (int kill = 0; kill < 2 * Kills; kill++)
        {
            string killed = kill % 2 == 0 ? "a" : "b";
            string other = killed == "a" ? "b" : "a";
            decimal start = Ela((await rig.UntilAsync("a", channel => channel.Connected)).Paid);
            Process paying = rig.Start("a", "channel", "pay", rig.Who["b"].Id, "0.000001", "--count", "500000");
            _ = await rig.UntilAsync(other, channel => Ela(channel.Acknowledged) > start);
            await rig.KillAsync(killed);

            // Sent by the payer: on its disk. Acknowledged to it: on the payee's. What is on its way is never more than the window.
            ChannelReport left = (await rig.ShowAsync(other))!;
            if (killed == "b")
            {
                Assert.True(Ela(left.Paid) - Ela(left.Acknowledged) <= Ela(Window));
            }

            await rig.UpAsync(killed);
            ChannelReport back = await rig.UntilAsync(killed, channel => channel.Connected);
            Assert.True(Ela(back.Paid) >= Ela(left.Acknowledged), $"{left.Acknowledged} was known at {other} and {back.Paid} is at {killed}");
            Assert.True((await rig.ShowAsync("a"))!.State == "Open" && !(await rig.ShowAsync("b"))!.Restored);
            paying.Kill();
        }

        ChannelReport payer = await rig.UntilAsync("a", channel => channel.Connected && channel.Paid == channel.Acknowledged);
        Assert.Equal(payer.Paid, (await rig.UntilAsync("b", channel => channel.Paid == payer.Paid)).Paid);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    public async Task Either_side_restored_from_an_old_backup_is_paid_or_pays_by_the_others_highest_voucher(string restored)
    {
        await using ChannelRig rig = await ChannelRig.StartAsync();
        await rig.OpenAsync("1", "1", 100);
        Assert.Equal(0, (await rig.RunAsync("a", "channel", "pay", rig.Who["b"].Id, "0.1")).Code);
        await rig.KillAsync(restored);
        using (var backup = new Backup(rig.File(restored)))
        {
            await rig.UpAsync(restored);
            Assert.Equal(0, (await rig.RunAsync("a", "channel", "pay", rig.Who["b"].Id, "0.15")).Code);
            await rig.KillAsync(restored);
            backup.PutBack();
        }

        await rig.UpAsync(restored);
        await ChannelRig.UntilAsync(async () => (await rig.PoolAsync()).Count == 1);
        await rig.MineAsync(6);
        Assert.Equal(0.25m, await rig.BalanceAsync("b"));
        _ = await rig.UntilAsync("a", channel => channel.State == "Closed");
        Assert.True((await rig.ShowAsync(restored))!.Restored);
    }

    [Fact]
    public async Task Commands_say_by_their_code_what_went_wrong()
    {
        await using ChannelRig rig = await ChannelRig.StartAsync();
        string stranger = rig.Who["b"].Id;
        Assert.Equal(2, (await rig.RunAsync("a", "channel", "pay", stranger, "1")).Code);
        Assert.Equal(2, (await rig.RunAsync("a", "channel", "open", rig.Who["a"].Id, "1")).Code);
        Assert.Equal(1, (await rig.RunAsync("a", "channel", "open", stranger, "1000")).Code);
        // b is not on a's list, and the lock height leaves the payee no time.
        Assert.Equal(5, (await rig.RunAsync("a", "channel", "open", stranger, "1", "--blocks", "20")).Code);
        Assert.Equal(2, (await rig.RunAsync("a", "channel", "broadcast", rig.File("nothing"))).Code);
        Assert.Equal(3, (await rig.RunAsync("nobody", "channel", "list")).Code);
        (int code, JsonElement[] lines) = await rig.RunAsync("a", "channel", "list", "--json");
        Assert.Equal((0, "Abandoned"), (code, lines[^1].GetProperty("channel").GetProperty("state").GetString()));
    }

    /// <summary>The channels of a home as they were once.</summary>
    private sealed class Backup : IDisposable
    {
        private readonly string _folder;
        private readonly DirectoryInfo _kept = Directory.CreateTempSubdirectory("channels-");

        public Backup(string home)
        {
            _folder = Path.Combine(home, "chain", "devnet");
            foreach (string file in Directory.GetFiles(_folder, "channels.db*"))
            {
                File.Copy(file, Path.Combine(_kept.FullName, Path.GetFileName(file)));
            }
        }

        public void PutBack()
        {
            foreach (string file in Directory.GetFiles(_folder, "channels.db*"))
            {
                File.Delete(file);
            }

            foreach (FileInfo file in _kept.GetFiles())
            {
                file.CopyTo(Path.Combine(_folder, file.Name));
            }
        }

        public void Dispose() => _kept.Delete(recursive: true);
    }

    private static decimal Ela(string text) => decimal.Parse(text, CultureInfo.InvariantCulture);
}
