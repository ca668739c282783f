using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain;

public class WalletTests
{
    private static readonly ProgramHash Bob = ProgramHash.FromTrustId(RedeemScriptTests.Key("bob").TrustId);

    [Fact]
    public async Task Send_pays_waits_and_is_mined()
    {
        using var rig = new Rig();
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        await using var other = new FixtureNode(FixtureNode.RecordedBlocks());
        ChainWallet wallet = rig.Open(node, other);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Balance before = await wallet.BalanceAsync(CancellationToken.None);
        Assert.True(before.Confirmed > Sela.FromEla(100));

        Sending sending = await wallet.SendAsync(rig.Key, Bob, Sela.FromEla(30), CoinSelection.DefaultFee, "rent", CancellationToken.None);
        Assert.Equal(SendingResult.Sent, sending.Result);
        Assert.Equal(sending.Transaction!.Id, Assert.Single(node.Pool).Id);
        Assert.Equal(sending.Transaction.Id, Assert.Single(other.Pool).Id);

        Balance waiting = await wallet.BalanceAsync(CancellationToken.None);
        Assert.True(waiting.Confirmed < before.Confirmed);
        Assert.Equal(before.Confirmed - Sela.FromEla(30) - CoinSelection.DefaultFee, waiting.Confirmed + waiting.Pending);
        Assert.Equal(HistoryState.Pending, wallet.History().Single(entry => entry.Kind == HistoryKind.Sent).State);

        IReadOnlyList<Block> blocks = FixtureNode.RecordedBlocks();
        Block[] mined = [.. blocks, FixtureNode.Mine(blocks[^1], node.Pool)];
        node.SetBlocks(mined);
        other.SetBlocks(mined);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Balance after = await wallet.BalanceAsync(CancellationToken.None);
        Assert.Equal(before.Confirmed - Sela.FromEla(30) - CoinSelection.DefaultFee, after.Confirmed);
        Assert.Equal(Sela.Zero, after.Pending);
        HistoryEntry entry = wallet.History().Single(e => e.Kind == HistoryKind.Sent);
        Assert.Equal((HistoryState.Mined, 263u, 1u, "rent"), (entry.State, entry.Height!.Value, entry.Confirmations, entry.Note));
    }

    [Fact]
    public async Task Reorganised_payment_waits_again_and_is_handed_in_again()
    {
        using var rig = new Rig();
        IReadOnlyList<Block> blocks = FixtureNode.RecordedBlocks();
        await using var node = new FixtureNode(blocks);
        ChainWallet wallet = rig.Open(node);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Sending sending = await wallet.SendAsync(rig.Key, Bob, Sela.FromEla(5), CoinSelection.DefaultFee, "", CancellationToken.None);
        node.SetBlocks([.. blocks, FixtureNode.Mine(blocks[^1], node.Pool)]);
        node.Pool.Clear();
        _ = await wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(HistoryState.Mined, wallet.History().Single(e => e.Kind == HistoryKind.Sent).State);

        Block fork = FixtureNode.Mine(blocks[^1], [], salt: 3);
        Block longer = FixtureNode.Mine(fork, [], salt: 3);
        node.SetBlocks([.. blocks, fork, longer]);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(HistoryState.Pending, wallet.History().Single(e => e.Kind == HistoryKind.Sent).State);
        Assert.Equal(sending.Transaction!.Id, Assert.Single(node.Pool).Id);

        node.SetBlocks([.. blocks, fork, longer, FixtureNode.Mine(longer, node.Pool, salt: 3)]);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(265u, wallet.History().Single(e => e.Kind == HistoryKind.Sent).Height);
    }

    [Fact]
    public async Task Intent_is_on_disk_before_it_leaves_and_survives_a_crash_between()
    {
        using var rig = new Rig();
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        ChainWallet wallet = rig.Open(node);
        _ = await wallet.SyncAsync(CancellationToken.None);
        int known = -1;
        node.TakeOver = async context =>
        {
            // The moment anything reaches the node after this, the row must be readable by another process.
            using var reader = new StreamReader(context.Request.InputStream);
            string body = await reader.ReadToEndAsync();
            if (body.Contains("sendrawtransaction", StringComparison.Ordinal))
            {
                using WalletStore second = WalletStore.Open(rig.WalletFile);
                known = second.Sent().Count;
            }

            context.Response.Abort();
            return true;
        };

        // Broken before the balance: nothing to send with.
        Assert.Equal(SendingResult.NotEnough, (await wallet.SendAsync(rig.Key, Bob, Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None)).Result);
        node.TakeOver = null;
        wallet = rig.Reopen(node); // with connections of its own: those above were cut
        _ = await wallet.SyncAsync(CancellationToken.None);
        int calls = 0;
        node.Lie = (method, _, result) =>
        {
            if (method == "sendrawtransaction")
            {
                using WalletStore second = WalletStore.Open(rig.WalletFile);
                known = second.Sent().Count;
                calls++;
                return 5; // no answer that means anything
            }

            return result;
        };
        Assert.Equal(SendingResult.Waiting, (await wallet.SendAsync(rig.Key, Bob, Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None)).Result);
        Assert.Equal((1, 1), (known, calls));

        // "Crash": another wallet over the same file goes on with it and spends none of its coins twice.
        node.Lie = null;
        node.Pool.Clear();
        ChainWallet again = rig.Reopen(node);
        _ = await again.SyncAsync(CancellationToken.None);
        Assert.Single(node.Pool);
        Sending next = await again.SendAsync(rig.Key, Bob, Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None);
        Assert.Empty(next.Transaction!.Inputs.Intersect(node.Pool[0].Inputs));
    }

    [Fact]
    public async Task Refused_payment_frees_its_coins()
    {
        using var rig = new Rig();
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        ChainWallet wallet = rig.Open(node);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Balance before = await wallet.BalanceAsync(CancellationToken.None);
        using OwnerKey stranger = RedeemScriptTests.Key("stranger");
        Sending sending = await wallet.SendAsync(stranger, Bob, Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None);
        Assert.Equal(SendingResult.Refused, sending.Result);
        Assert.Equal(before.Confirmed, (await wallet.BalanceAsync(CancellationToken.None)).Confirmed);
    }

    [Fact]
    public async Task Send_refuses_what_would_lose_money()
    {
        using var rig = new Rig();
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        ChainWallet wallet = rig.Open(node);
        _ = await wallet.SyncAsync(CancellationToken.None);
        ProgramHash did = RedeemScript.Did(rig.Key.PublicKey).ProgramHash;
        Assert.Equal(SendingResult.BadRecipient, (await wallet.SendAsync(rig.Key, did, Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None)).Result);
        Assert.Equal(SendingResult.BadRecipient, (await wallet.SendAsync(rig.Key, Bob, Sela.Zero, CoinSelection.DefaultFee, "", CancellationToken.None)).Result);
        Assert.Equal(SendingResult.FeeTooLow, (await wallet.SendAsync(rig.Key, Bob, Sela.FromEla(1), new Sela(99), "", CancellationToken.None)).Result);
        Assert.Equal(SendingResult.NotEnough, (await wallet.SendAsync(rig.Key, Bob, Sela.FromEla(33_000_000), CoinSelection.DefaultFee, "", CancellationToken.None)).Result);
        Assert.Empty(node.Pool);
    }

    [Fact]
    public async Task Record_is_anchored_proved_and_verified_offline()
    {
        using var rig = new Rig();
        IReadOnlyList<Block> blocks = FixtureNode.RecordedBlocks();
        await using var node = new FixtureNode(blocks);
        ChainWallet wallet = rig.Open(node);
        _ = await wallet.SyncAsync(CancellationToken.None);
        byte[] hash = System.Security.Cryptography.SHA256.HashData("a contract"u8);
        Sending sending = await wallet.RecordAsync(rig.Key, AnchorRecord.Of(hash), CoinSelection.DefaultFee, "", CancellationToken.None);
        Assert.Equal(SendingResult.Sent, sending.Result);
        node.SetBlocks([.. blocks, FixtureNode.Mine(blocks[^1], node.Pool)]);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Inclusion inclusion = await rig.Access!.FindAsync(sending.Transaction!.Id, CancellationToken.None);

        byte[] file = InclusionProof.Write("devnet", inclusion.Proved!);
        Assert.Equal(InclusionVerdict.Sound, InclusionProof.Verify(file, out string network, out ProvedTransaction? proved));
        Assert.Equal("devnet", network);
        Assert.True(AnchorRecord.Matches(proved!.Transaction, hash));
        Assert.False(AnchorRecord.Matches(proved.Transaction, new byte[32]));

        // Nothing in the file can be changed.
        string text = System.Text.Encoding.ASCII.GetString(file);
        int from = text.IndexOf("\"header\"", StringComparison.Ordinal) + 12;
        int sound = 0;
        for (int i = from; i < text.Length; i += 3)
        {
            char[] changed = text.ToCharArray();
            changed[i] = changed[i] == '1' ? '2' : '1';
            if (InclusionProof.Verify(System.Text.Encoding.ASCII.GetBytes(changed), out _, out ProvedTransaction? forged) == InclusionVerdict.Sound)
            {
                Assert.True(AnchorRecord.Matches(forged!.Transaction, hash));
                sound++;
            }
        }

        Assert.True(sound < 200); // the redundant parent hash, free nonces, blanks, and signatures, which the id does not cover
    }

    [Fact]
    public async Task Coin_in_a_transaction_that_cannot_be_read_is_an_alarm()
    {
        using var rig = new Rig();
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        node.Lie = (method, parameters, result) => method == "getrawtransaction" && !parameters["verbose"]!.GetValue<bool>() && result is not null
            ? "0977" + result.GetValue<string>()[4..] // a type of another time
            : result;
        ChainWallet wallet = rig.Open(node);
        _ = await wallet.SyncAsync(CancellationToken.None);
        Balance balance = await wallet.BalanceAsync(CancellationToken.None);
        Assert.Equal(Sela.Zero, balance.Confirmed);
        Assert.NotEmpty(balance.Alarms);
    }

    [Fact]
    public void Choose_takes_the_smallest_coin_that_is_enough_and_makes_no_dust()
    {
        Coin[] coins = [Make(1, 5_000_000), Make(2, 2_000_000), Make(3, 900_000), Make(4, 50)];
        CoinChoice choice = CoinSelection.Choose(coins, new Sela(1_000_000), CoinSelection.DefaultFee)!;
        Assert.Equal(2_000_000, choice.Coins[0].Output.Value.Value);
        Assert.Contains(choice.Coins, coin => coin.Output.Value.Value == 50); // gathered
        Assert.Equal(2_000_050 - 1_000_000 - 10_000, choice.Change.Value);

        CoinChoice exact = CoinSelection.Choose(coins, new Sela(885_000), CoinSelection.DefaultFee)!;
        Assert.Equal((0L, 15_050L), (exact.Change.Value, exact.Fee.Value));
        Assert.Null(CoinSelection.Choose(coins, new Sela(8_000_000), CoinSelection.DefaultFee));
        Assert.Null(CoinSelection.Choose(coins, Sela.Max, CoinSelection.DefaultFee));
        Assert.Null(CoinSelection.Choose(coins, new Sela(1), new Sela(99)));
    }

    [Fact]
    public void Choose_is_not_drowned_in_dust()
    {
        IEnumerable<Coin> coins = Enumerable.Range(0, 15_000).Select(i => Make(i, 1)).Append(Make(20_000, 600_000)).Append(Make(20_001, 600_000));
        CoinChoice choice = CoinSelection.Choose(coins, new Sela(1_000_000), CoinSelection.DefaultFee)!;
        Assert.InRange(choice.Coins.Length, 2, 2 + CoinSelection.MaxGathered);
        Assert.Equal(choice.Coins.Sum(coin => coin.Output.Value.Value), 1_000_000 + choice.Change.Value + choice.Fee.Value);
    }

    private static Coin Make(int number, long value) =>
        new(new OutPoint(Hash256.Sha256(BitConverter.GetBytes(number)), 0), new TransactionOutput(new Sela(value), Bob), 1, false, false);

    /// <summary>A wallet of the recorded payee in a folder of its own.</summary>
    private sealed class Rig : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private WalletStore? _store;

        public OwnerKey Key { get; } = RedeemScriptTests.Key("payee");

        public ChainAccess? Access { get; private set; }

        public string WalletFile => _folder.File("wallet.db");

        public ChainWallet Open(params FixtureNode[] nodes)
        {
            Access = ChainAccessTests.Open(_folder, nodes);
            _store = WalletStore.Open(WalletFile);
            return new ChainWallet(Access, _store, Key.TrustId, new Carrier.Simulation.SeededRandom(1), TimeProvider.System);
        }

        public ChainWallet Reopen(params FixtureNode[] nodes)
        {
            Access?.Dispose();
            _store?.Dispose();
            return Open(nodes);
        }

        public void Dispose()
        {
            Access?.Dispose();
            _store?.Dispose();
            Key.Dispose();
            _folder.Dispose();
        }
    }
}
