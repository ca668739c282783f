using System.Diagnostics;
using System.Runtime.CompilerServices;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Chain.Wallet;
using Carrier.Tests.Storage;
using Microsoft.Data.Sqlite;

namespace Carrier.Tests.Chain;

/// <summary>THREATS, "SQLite" and "disk full": what the wallet said is on disk is there after a kill, a torn log and a full disk, and nothing leaves before it is.</summary>
public sealed class WalletCrashTests
{
    private const string ChildVariable = "CARRIER_TEST_WALLET";

    private const string FullDiskVariable = "CARRIER_TEST_WALLET_FULL_DISK";

    /// <summary>More intents than any disk of half a megabyte takes.</summary>
    private const int MoreThanFits = 5_000;

    private static readonly int Kills = LongRun.Kills(20);

    [Fact]
    public async Task Wallet_killed_has_every_intent_it_noted()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are Unix's.");
        using var folder = new TemporaryFolder();
        string file = folder.File("wallet.db");
        HashSet<string> noted = [];
        var random = new Random(1);
        for (int kill = 0; kill < Kills; kill++)
        {
            await KillAsync(file, random.Next(1, 6), noted);
            using WalletStore store = WalletStore.Open(file);
            HashSet<string> kept = [.. store.Sent().Select(sent => sent.Transaction.Id.ToString())];
            Assert.True(kept.IsSupersetOf(noted), $"{noted.Except(kept).Count()} of {noted.Count} are lost after kill {kill}");
        }

        Assert.True(noted.Count >= Kills);
    }

    /// <summary>Where a child begins: this assembly is started again with a variable set, and never reaches the test runner.</summary>
    [ModuleInitializer]
    internal static void RunAsChild()
    {
        if (Environment.GetEnvironmentVariable(FullDiskVariable) is { } small)
        {
            NoteUntilFull(small);
            Environment.Exit(0);
        }

        if (Environment.GetEnvironmentVariable(ChildVariable) is { } file)
        {
            using WalletStore store = WalletStore.Open(file);
            using Stream output = Console.OpenStandardOutput();
            for (uint i = 0; ; i++)
            {
                Transaction intent = Intent((uint)Environment.ProcessId, i);
                Note(store, intent);
                output.Write(System.Text.Encoding.ASCII.GetBytes(intent.Id + "\n"));
            }
        }
    }

    [Fact]
    public void Log_torn_at_any_length_leaves_a_prefix_of_what_was_noted()
    {
        using var folder = new TemporaryFolder();
        const int Count = 12;
        byte[] database;
        byte[] log;
        using (WalletStore store = WalletStore.Open(folder.File("wallet.db")))
        {
            for (uint i = 0; i < Count; i++)
            {
                Note(store, Intent(1, i));
            }

            // As a machine leaves them that stops here.
            database = ReadShared(folder.File("wallet.db"));
            log = ReadShared(folder.File("wallet.db-wal"));
        }

        int before = 0;
        for (int length = 0; length <= log.Length; length += Math.Min(509, Math.Max(1, log.Length - length)))
        {
            int kept = Reopen(folder, database, log[..length]);
            Assert.InRange(kept, before, Count);
            before = kept;
        }

        Assert.Equal(Count, before);
        foreach (int at in Enumerable.Range(0, 40).Select(i => i * log.Length / 40))
        {
            byte[] flipped = [.. log];
            flipped[at] ^= 0x10;
            Assert.InRange(Reopen(folder, database, flipped), 0, Count);
        }
    }

    [Fact]
    public async Task Intent_on_a_full_disk_is_refused_and_what_was_noted_before_stays()
    {
        SmallDisk.SkipUnlessRoot();
        using var folder = new TemporaryFolder();
        ProcessStartInfo start = SmallDisk.Inside(folder.Path, kilobytes: 512, $"exec '{Path.Combine(AppContext.BaseDirectory, "Carrier.Tests")}'");
        start.Environment[FullDiskVariable] = folder.Path;
        using Process child = Process.Start(start)!;
        string said = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.SkipWhen(child.ExitCode == SmallDisk.NotMounted, "Nothing can be mounted here, though this is root.");

        uint[] counts = [.. said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(uint.Parse)];
        Assert.Equal(4, counts.Length); // noted, kept while full, kept with room again, and one more
        Assert.InRange(counts[0], 1u, MoreThanFits - 1u);
        Assert.Equal([counts[0], counts[0], counts[0], counts[0] + 1], counts);
    }

    [Fact]
    public async Task Payment_whose_intent_cannot_be_noted_does_not_leave()
    {
        using var folder = new TemporaryFolder();
        using var key = RedeemScriptTests.Key("payee");
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        using var access = ChainAccessTests.Open(folder, node);
        string file = folder.File("refusing.db");
        using WalletStore store = WalletStore.Open(file);
        var wallet = new ChainWallet(access, store, key.TrustId, new Carrier.Simulation.SeededRandom(1), TimeProvider.System);
        _ = await wallet.SyncAsync(CancellationToken.None);
        using (var other = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            other.Open();
            using SqliteCommand refuse = other.CreateCommand();
            refuse.CommandText = "CREATE TRIGGER refuse BEFORE INSERT ON sent BEGIN SELECT RAISE(ABORT, 'no room'); END";
            _ = refuse.ExecuteNonQuery();
        }

        _ = await Assert.ThrowsAsync<SqliteException>(() =>
            wallet.SendAsync(key, ProgramHash.FromTrustId(key.TrustId), Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None));
        Assert.Empty(node.Pool);
    }

    private static void NoteUntilFull(string folder)
    {
        string file = Path.Combine(folder, "wallet.db");
        string hog = Path.Combine(folder, "hog");
        File.WriteAllBytes(hog, new byte[128 * 1024]);
        uint noted = 0;
        using (WalletStore store = WalletStore.Open(file))
        {
            try
            {
                for (; noted < MoreThanFits; noted++)
                {
                    Note(store, Intent(1, noted));
                }
            }
            catch (SqliteException e) when (e.SqliteErrorCode == 13) // SQLITE_FULL
            {
                Console.WriteLine(noted);
            }

            Console.WriteLine(store.Sent().Count);
        }

        File.Delete(hog);
        using WalletStore again = WalletStore.Open(file);
        Console.WriteLine(again.Sent().Count);
        Note(again, Intent(1, noted));
        Console.WriteLine(again.Sent().Count);
    }

    private static Transaction Intent(uint run, uint number) => new()
    {
        Attributes = [new(AttributeUsage.Nonce, BitConverter.GetBytes(((ulong)run << 32) | number))],
        Inputs = [new(new OutPoint(Hash256.Sha256(BitConverter.GetBytes(number)), 0))],
        Outputs = [new(new Sela(1), default)],
    };

    private static void Note(WalletStore store, Transaction intent) => store.AddIntent(intent, default, new Sela(1), new Sela(100), "", "");

    /// <summary>Opens what a stopped machine left, and counts.</summary>
    private static int Reopen(TemporaryFolder folder, byte[] database, byte[] log)
    {
        string path = folder.File(Guid.NewGuid().ToString("n"));
        File.WriteAllBytes(path, database);
        File.WriteAllBytes(path + "-wal", log);
        using WalletStore store = WalletStore.Open(path);
        return store.Sent().Count;
    }

    private static byte[] ReadShared(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Runs a child until it noted so many, kills it, and collects what it said.</summary>
    private static async Task KillAsync(string file, int after, HashSet<string> noted)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Carrier.Tests")) { RedirectStandardOutput = true };
        start.Environment[ChildVariable] = file;
        using Process child = Process.Start(start)!;
        int said = 0;
        while (await child.StandardOutput.ReadLineAsync() is { Length: 64 } line)
        {
            _ = noted.Add(line);
            if (++said == after)
            {
                child.Kill(); // SIGKILL; what it said before still arrives
            }
        }

        await child.WaitForExitAsync();
        Assert.True(said >= after);
    }
}
