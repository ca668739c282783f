using Carrier.Chain.Access;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Registry;
using Carrier.Chain.Scanning;
using Carrier.Chain.Spv;
using Carrier.Chain.Storage;
using Carrier.Chain.Transactions;
using Carrier.Chain.Wallet;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Devnet.Blocks;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain;

/// <summary>A wallet that asks peers alone: what it finds, and what peers that omit, lie or stall can do to it.</summary>
public sealed class PeerAccessTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TemporaryFolder _folder = new();
    private readonly Lock _chainLock = new();
    private readonly OwnerKey _key = RedeemScriptTests.Key("alice");
    private readonly DevnetChain _chain = new("devnet", Faucet.Owner);
    private readonly Faucet _faucet;

    public PeerAccessTests()
    {
        _faucet = new Faucet(_chain);
        _faucet.Prepare(Now);
    }

    private static UnixTime Now => new(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());

    private ProgramHash Account => ProgramHash.FromTrustId(_key.TrustId);

    public void Dispose()
    {
        _faucet.Dispose();
        _chain.Dispose();
        _key.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Wallet_receives_pays_and_goes_on_after_a_restart()
    {
        Fund(Sela.FromEla(30));
        await using TestPeer peer = Peer();
        using (Rig rig = Open(peer))
        {
            SyncReport report = await rig.Wallet.SyncAsync(CancellationToken.None);
            Assert.Equal((_chain.Height, 1, HeaderAssurance.ProofOfWork), (report.Height, report.Agreeing, report.Assurance));
            Assert.Equal(Sela.FromEla(30), (await rig.Wallet.BalanceAsync(CancellationToken.None)).Confirmed);
            Sending sending = await rig.Wallet.SendAsync(_key, Faucet.Owner, Sela.FromEla(4), CoinSelection.DefaultFee, "", CancellationToken.None);
            Assert.Equal(SendingResult.Sent, sending.Result);
            Assert.NotNull((await rig.Access.FindAsync(sending.Transaction!.Id, CancellationToken.None)).Waiting);
        }

        Mine(3);
        using Rig again = Open(peer);
        _ = await again.Wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(Sela.FromEla(26) - CoinSelection.DefaultFee, (await again.Wallet.BalanceAsync(CancellationToken.None)).Confirmed);
        HistoryEntry sent = again.Wallet.History().Single(entry => entry.Kind == HistoryKind.Sent);
        Assert.Equal((HistoryState.Mined, 3u), (sent.State, sent.Confirmations));

        // What was proved through peers, a third party checks without any.
        Inclusion inclusion = await again.Access.FindAsync(sent.TransactionId, CancellationToken.None);
        Assert.Equal(InclusionVerdict.Sound, InclusionProof.Verify(InclusionProof.Write("devnet", inclusion.Proved!), out _, out _));
    }

    [Fact]
    public async Task Refused_payment_is_refused_here_too_and_says_why()
    {
        Fund(Sela.FromEla(3));
        await using TestPeer peer = Peer();
        using Rig rig = Open(peer);
        _ = await rig.Wallet.SyncAsync(CancellationToken.None);
        using OwnerKey stranger = RedeemScriptTests.Key("stranger");
        Sending sending = await rig.Wallet.SendAsync(stranger, Faucet.Owner, Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None);
        Assert.Equal((SendingResult.Refused, SendOutcome.SignatureInvalid), (sending.Result, sending.Nodes[0].Outcome));
        Assert.Equal(Sela.FromEla(3), (await rig.Wallet.BalanceAsync(CancellationToken.None)).Confirmed);
    }

    [Fact]
    public async Task Reorganisation_takes_a_payment_back_until_it_is_mined_again()
    {
        Mine(2);
        Fund(Sela.FromEla(5));
        await using TestPeer peer = Peer();
        using Rig rig = Open(peer);
        _ = await rig.Wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(Sela.FromEla(5), (await rig.Wallet.BalanceAsync(CancellationToken.None)).Confirmed);
        lock (_chainLock)
        {
            _chain.Rewind(1);
            _chain.Ledger.ClearPool();
        }

        Mine(2); // other blocks, and more of them
        SyncReport report = await rig.Wallet.SyncAsync(CancellationToken.None);
        Assert.Equal((_chain.Height, 1), (report.Height, report.Agreeing));
        Assert.Equal(Sela.Zero, (await rig.Wallet.BalanceAsync(CancellationToken.None)).Confirmed);
    }

    [Fact]
    public async Task Payment_one_peer_leaves_out_is_found_through_the_other()
    {
        Fund(Sela.FromEla(7));
        await using TestPeer omits = Peer();
        omits.Mishear = (command, payload) => command == "filterload" ? PeerMessages.FilterLoad(new BloomFilter(8, 1, 0)) : payload; // matches nothing
        await using TestPeer honest = Peer();
        using (Rig blind = Open(omits))
        {
            _ = await blind.Wallet.SyncAsync(CancellationToken.None);
            Assert.Equal(Sela.Zero, (await blind.Wallet.BalanceAsync(CancellationToken.None)).Confirmed); // it cannot know: the document says so
        }

        using Rig rig = Open(omits, honest);
        SyncReport report = await rig.Wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(2, report.Agreeing);
        Assert.Equal(Sela.FromEla(7), (await rig.Wallet.BalanceAsync(CancellationToken.None)).Confirmed);

        // And a spend that one of them hides is proved by the other: the coin is not offered twice.
        lock (_chainLock)
        {
            Transaction spend = new Transaction { Inputs = [new(Coin())], Outputs = [new(Sela.FromEla(6), Faucet.Owner)] };
            Assert.True(_chain.Ledger.Submit(spend.WithPrograms(RedeemScript.Standard(_key.PublicKey).Program(spend.Sign(_key)))).IsAccepted);
        }

        Mine(1);
        _ = await rig.Wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(Sela.Zero, (await rig.Wallet.BalanceAsync(CancellationToken.None)).Confirmed);
    }

    [Theory]
    [InlineData("version", NodeFault.Malformed)]
    [InlineData("pong", NodeFault.Malformed)]
    [InlineData("inv", NodeFault.Malformed)]
    [InlineData("merkleblock", NodeFault.Lie)]
    [InlineData("tx", NodeFault.Lie)]
    public async Task Peer_that_cuts_a_message_short_costs_nothing(string command, NodeFault fault)
    {
        Fund(Sela.FromEla(7));
        await using TestPeer liar = Peer();
        liar.Lie = (said, payload) => said == command ? payload[..^1] : payload;
        await AssertHarmlessAsync(liar, fault);
    }

    [Theory]
    [InlineData("version")]
    [InlineData("pong")]
    [InlineData("inv")]
    [InlineData("merkleblock")]
    [InlineData("tx")]
    public async Task Peer_that_stops_talking_costs_its_patience(string command)
    {
        Fund(Sela.FromEla(7));
        await using TestPeer mute = Peer();
        mute.Lie = (said, payload) => said == command ? null : payload;
        await AssertHarmlessAsync(mute, null, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Peer_that_changes_any_bit_of_a_payment_is_caught()
    {
        Fund(Sela.FromEla(7));
        for (int bit = 40; bit < 1_000; bit += 97)
        {
            await using TestPeer liar = Peer();
            liar.Lie = (said, payload) =>
            {
                if (said == "tx")
                {
                    payload[bit / 8] ^= (byte)(1 << (bit % 8));
                }

                return payload;
            };
            await AssertHarmlessAsync(liar, null);
        }
    }

    [Theory]
    [InlineData(4, "prev-hash")] // a block that follows nothing
    [InlineData(68, "time-too-new")]
    [InlineData(72, "bits")]
    public async Task Header_that_breaks_a_rule_ends_the_following_there(int at, string rule)
    {
        await using TestPeer liar = Peer();
        // The named block must be the shown one, so the lie is in both.
        liar.Lie = (said, payload) => said switch
        {
            "merkleblock" => Forge(payload, at),
            "inv" => PeerMessages.Inventory(InventoryKind.Block, Hash256.DoubleSha256(Forge(First(), at).AsSpan(0, BlockHeader.Bytes))),
            _ => payload,
        };
        liar.Mishear = (command, payload) => command == "getdata" ? PeerMessages.Inventory(InventoryKind.FilteredBlock, _chain.At(1).Header.Hash) : payload;
        using Rig rig = Open(liar);
        SyncReport report = await rig.Access.SyncAsync(CancellationToken.None);
        Assert.Equal((0u, NodeFault.Lie), (report.Height, report.Nodes[0].Fault));
        Assert.Contains(rule, report.Nodes[0].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Transaction_that_cannot_be_read_is_an_alarm_and_stays_one()
    {
        Fund(Sela.FromEla(7));
        await using TestPeer odd = Peer();
        odd.Lie = (said, payload) =>
        {
            if (said == "tx")
            {
                payload[1] = 0x77; // a type of another time
            }

            return payload;
        };
        using (Rig rig = Open(odd))
        {
            Assert.NotEmpty((await rig.Wallet.SyncAsync(CancellationToken.None)).Unreadable);
        }

        using Rig again = Open(odd);
        Assert.NotEmpty((await again.Wallet.SyncAsync(CancellationToken.None)).Unreadable);
    }

    [Fact]
    public async Task Registry_is_scanned_through_peers_and_no_record_can_be_left_out()
    {
        var record = new RegistryRecord(RegistryRecordKind.Register, Hash256.Sha256([1]));
        Fund(Sela.FromEla(7));
        await using TestPeer peer = Peer();
        using Rig rig = Open(peer);
        _ = await rig.Wallet.SyncAsync(CancellationToken.None);
        Assert.Equal(SendingResult.Sent, (await rig.Wallet.RecordAsync(_key, record.ToPayload(), CoinSelection.DefaultFee, "", CancellationToken.None)).Result);
        Mine(1);
        _ = await rig.Wallet.SyncAsync(CancellationToken.None);

        using ScanStore store = ScanStore.Open(_folder.File("registry.db"), "devnet");
        peer.Mishear = (command, payload) => command == "filterload" ? PeerMessages.FilterLoad(new BloomFilter(8, 1, 0)) : payload;
        Assert.False(await new ChainScanner(rig.Access, new RegistryIndex(), store, from: 1).ScanAsync(CancellationToken.None));
        peer.Mishear = null;
        var index = new RegistryIndex();
        Assert.True(await new ChainScanner(rig.Access, index, store, from: 1).ScanAsync(CancellationToken.None));
        Assert.Equal(_chain.Height, index.Exists(_key.TrustId)!.Height);
    }

    [Theory]
    [InlineData("example.org", "example.org:20338")]
    [InlineData("example.org:1", "example.org:1")]
    [InlineData("[::1]:22338", "[::1]:22338")]
    [InlineData("::1", "[::1]:20338")]
    [InlineData("example.org:0", null)]
    [InlineData("example.org:70000", null)]
    [InlineData("exa mple", null)]
    [InlineData("", null)]
    public void TryParse_reads_an_endpoint(string text, string? expected)
    {
        Assert.Equal(expected is not null, PeerEndpoint.TryParse(text, 20338, out PeerEndpoint? endpoint));
        Assert.Equal(expected, endpoint?.ToString());
    }

    /// <summary>A peer that fails beside an honest one: it is named, and the wallet has what it should have.</summary>
    private async Task AssertHarmlessAsync(TestPeer bad, NodeFault? fault, TimeSpan? patience = null)
    {
        await using TestPeer honest = Peer();
        using var fresh = new TemporaryFolder();
        using Rig rig = Open(fresh, patience ?? Patience, bad, honest);
        SyncReport report = await rig.Access.SyncAsync(CancellationToken.None);
        Assert.Equal(_chain.Height, report.Height);
        Assert.True(report.Nodes[0].Fault != NodeFault.None || report.Unreadable.Count > 0); // what cannot be read is an alarm
        Assert.Equal(fault ?? report.Nodes[0].Fault, report.Nodes[0].Fault);
        Assert.Equal(NodeFault.None, report.Nodes[1].Fault);
        Assert.Equal(Sela.FromEla(7), Assert.Single((await rig.Access.CoinsAsync(Account, CancellationToken.None)).Coins).Output.Value);
    }

    private byte[] First()
    {
        byte[] core = new byte[BlockHeader.Bytes];
        _chain.At(1).Header.CopyTo(core);
        return core;
    }

    private static byte[] Forge(byte[] header, int at)
    {
        byte[] forged = [.. header];
        forged[at + 3] ^= 0x10;
        return forged;
    }

    private OutPoint Coin() => _chain.Ledger.Coins.Single(coin => coin.Value.Output.Owner == Account).Key;

    private void Fund(Sela amount)
    {
        lock (_chainLock)
        {
            Assert.NotNull(_faucet.Pay(Account, amount));
        }

        Mine(1);
    }

    private void Mine(int blocks)
    {
        lock (_chainLock)
        {
            for (int i = 0; i < blocks; i++)
            {
                _ = _chain.Mine(Faucet.Owner, Now);
            }
        }
    }

    private TestPeer Peer() => new(_chain, _chainLock);

    private Rig Open(params TestPeer[] peers) => Open(_folder, Patience, peers);

    private Rig Open(TemporaryFolder folder, TimeSpan patience, params TestPeer[] peers)
    {
        HeaderStore headers = HeaderStore.Open(folder.File("headers.db"), _chain.Network, HeaderAnchor.AtGenesis(_chain.Network.Genesis));
        var access = new PeerAccess(
            _chain.Network, [.. peers.Select(peer => peer.Endpoint)], headers, SightingStore.Open(folder.File("sightings.db")), Account,
            new Carrier.Simulation.SeededRandom(1), TimeProvider.System, patience);
        WalletStore store = WalletStore.Open(folder.File("wallet.db"));
        return new Rig(access, store, new ChainWallet(access, store, _key.TrustId, new Carrier.Simulation.SeededRandom(2), TimeProvider.System));
    }

    private sealed record Rig(PeerAccess Access, WalletStore Store, ChainWallet Wallet) : IDisposable
    {
        public void Dispose()
        {
            Access.Dispose();
            Store.Dispose();
        }
    }
}
