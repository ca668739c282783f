using System.Text.Json.Nodes;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Dpos;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Scanning;
using Carrier.Chain.Storage;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain;

/// <summary>Real HTTP on loopback: honest nodes, and nodes that lie.</summary>
public class ChainAccessTests
{
    internal static readonly RpcPatience Patient = new(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(60), 0, TimeSpan.FromMilliseconds(10));

    private static readonly ProgramHash Payee = ProgramHash.TryParse("ESXcuNySSKAmrUm96AgEKzWT6uBzPA4rrg", out ProgramHash hash) ? hash : default;

    [Fact]
    public async Task Sync_reaches_the_recorded_tip_and_proves_transactions()
    {
        await using var first = new FixtureNode(FixtureNode.RecordedBlocks());
        await using var second = new FixtureNode(FixtureNode.RecordedBlocks());
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, first, second);
        SyncReport report = await access.SyncAsync(CancellationToken.None);
        Assert.Equal((262u, 2, false), (report.Height, report.Agreeing, report.IsDisputed));
        Assert.Equal(HeaderAssurance.ProofOfWork, report.Assurance);

        foreach (Block block in FixtureNode.RecordedBlocks().Skip(100).Take(12))
        {
            Transaction last = block.Transactions[^1];
            Inclusion inclusion = await access.FindAsync(last.Id, CancellationToken.None);
            Assert.True(inclusion.Proved!.IsSound);
            Assert.Equal(block.Header, inclusion.Proved.Header);
        }

        CoinReport coins = await access.CoinsAsync(Payee, CancellationToken.None);
        Assert.Equal(2, coins.Answered);
        Assert.NotEmpty(coins.Coins);
        Assert.All(coins.Coins, coin => Assert.False(coin.Disputed));
    }

    [Fact]
    public async Task Sync_resumes_from_disk_and_asks_only_for_what_is_new()
    {
        IReadOnlyList<Block> blocks = FixtureNode.RecordedBlocks();
        await using var node = new FixtureNode(blocks.Take(200));
        using var folder = new TemporaryFolder();
        using (ChainAccess access = Open(folder, node))
        {
            Assert.Equal(199u, (await access.SyncAsync(CancellationToken.None)).Height);
        }

        node.SetBlocks(blocks);
        List<string> asked = [];
        node.Lie = (method, parameters, honest) =>
        {
            asked.Add(method);
            return honest;
        };
        using (ChainAccess access = Open(folder, node))
        {
            Assert.Equal(199u, access.Headers.Tip.Header.Height);
            Assert.Equal(262u, (await access.SyncAsync(CancellationToken.None)).Height);
        }

        Assert.Equal(63, asked.Count(method => method == "getblock"));
    }

    [Fact]
    public async Task Longer_proof_wins_over_more_nodes()
    {
        IReadOnlyList<Block> blocks = FixtureNode.RecordedBlocks();
        List<Block> fork = [.. blocks.Take(260)];
        for (uint i = 0; i < 5; i++)
        {
            fork.Add(FixtureNode.Mine(fork[^1], [], salt: 7));
        }

        // Two nodes show the shorter chain, one the longer: work decides, and who disagrees is shown.
        await using var first = new FixtureNode(blocks);
        await using var second = new FixtureNode(blocks);
        await using var third = new FixtureNode(fork);
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, first, second, third);
        SyncReport report = await access.SyncAsync(CancellationToken.None);
        Assert.Equal(fork[^1].Header.Hash, report.Tip);
        Assert.Equal((1, true), (report.Agreeing, report.IsDisputed));
        // And what was only in the lost blocks is no longer proved.
        Assert.Null((await access.FindAsync(blocks[262].Transactions[1].Id, CancellationToken.None)).Proved);
    }

    [Theory]
    [InlineData("time")]
    [InlineData("bits")]
    [InlineData("merkleroot")]
    [InlineData("previousblockhash")]
    [InlineData("height")]
    [InlineData("nonce")]
    [InlineData("version")]
    public async Task A_lie_in_any_field_of_a_header_is_caught(string field)
    {
        await using var liar = new FixtureNode(FixtureNode.RecordedBlocks());
        await using var honest = new FixtureNode(FixtureNode.RecordedBlocks());
        liar.Lie = (method, _, result) =>
        {
            if (method == "getblock" && result!["height"]!.GetValue<uint>() == 150)
            {
                result[field] = result[field]!.GetValueKind() == System.Text.Json.JsonValueKind.Number
                    ? result[field]!.GetValue<uint>() + 1
                    : Hash256.Sha256([1]).ToString();
            }

            return result;
        };
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, liar, honest);
        SyncReport report = await access.SyncAsync(CancellationToken.None);
        Assert.Equal(262u, report.Height);
        Assert.Equal(NodeFault.Lie, report.Nodes.Single(node => node.Node == liar.Endpoint.Name).Fault);
        Assert.False(access.Nodes[0].Health.IsHealthy);
    }

    [Fact]
    public async Task A_proof_of_work_that_does_not_hold_is_refused_by_its_rule()
    {
        await using var liar = new FixtureNode(FixtureNode.RecordedBlocks());
        liar.Lie = (method, _, result) =>
        {
            if (method == "getblock" && result!["height"]!.GetValue<uint>() == 20)
            {
                result["auxpow"] = Convert.ToHexStringLower(FixtureNode.RecordedBlocks()[21].Proof.Span);
            }

            return result;
        };
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, liar);
        SyncReport report = await access.SyncAsync(CancellationToken.None);
        Assert.Equal(19u, report.Height);
        Assert.Contains("no-commitment", report.Nodes[0].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_proof_beats_a_denial_whichever_node_is_asked_first()
    {
        await using var denier = new FixtureNode(FixtureNode.RecordedBlocks());
        await using var honest = new FixtureNode(FixtureNode.RecordedBlocks());
        denier.Lie = (method, _, result) => method == "getrawtransaction" ? null : result;
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, denier, honest);
        _ = await access.SyncAsync(CancellationToken.None);
        Inclusion inclusion = await access.FindAsync(FixtureNode.RecordedBlocks()[124].Transactions[1].Id, CancellationToken.None);
        Assert.NotNull(inclusion.Proved);
        Assert.Equal(2, inclusion.Statements.Count);
    }

    [Fact]
    public async Task A_transaction_placed_in_a_block_that_does_not_hold_it_is_a_lie()
    {
        await using var liar = new FixtureNode(FixtureNode.RecordedBlocks());
        liar.Lie = (method, parameters, result) =>
        {
            if (method == "getrawtransaction" && parameters["verbose"]!.GetValue<bool>())
            {
                return new JsonObject { ["blockhash"] = FixtureNode.RecordedBlocks()[50].Header.Hash.ToString() };
            }

            return result;
        };
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, liar);
        _ = await access.SyncAsync(CancellationToken.None);
        Inclusion inclusion = await access.FindAsync(FixtureNode.RecordedBlocks()[124].Transactions[1].Id, CancellationToken.None);
        Assert.Null(inclusion.Proved);
        Assert.Equal(NodeFault.Lie, inclusion.Statements[0].Fault);
    }

    [Fact]
    public async Task Coins_a_node_invents_inflates_or_hides_cost_nothing()
    {
        await using var liar = new FixtureNode(FixtureNode.RecordedBlocks());
        await using var honest = new FixtureNode(FixtureNode.RecordedBlocks());
        string hidden = "";
        liar.Lie = (method, _, result) =>
        {
            if (method == "listunspent" && result is JsonArray coins)
            {
                hidden = coins[0]!["txid"]!.GetValue<string>() + ":" + coins[0]!["vout"]!.GetValue<ushort>();
                coins.RemoveAt(0);
                coins[0]!["amount"] = "1000000";
                coins.Add(new JsonObject { ["txid"] = Hash256.Sha256([9]).ToString(), ["vout"] = 0, ["amount"] = "5" });
            }

            return result;
        };
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, liar, honest);
        _ = await access.SyncAsync(CancellationToken.None);
        CoinReport report = await access.CoinsAsync(Payee, CancellationToken.None);
        Assert.True(report.Coins.Single(coin => coin.OutPoint.ToString() == hidden).Disputed);
        Assert.DoesNotContain(report.Coins, coin => coin.Output.Value == Sela.FromEla(1_000_000));
        Assert.Contains(report.Statements, statement => statement.Fault == NodeFault.Lie);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("99999999999999999999")]
    [InlineData("41220001")]
    [InlineData("1e5")]
    public async Task Amounts_that_cannot_exist_are_lies(string amount)
    {
        await using var liar = new FixtureNode(FixtureNode.RecordedBlocks());
        liar.Lie = (method, _, result) =>
        {
            if (method == "listunspent")
            {
                result![0]!["amount"] = amount;
            }

            return result;
        };
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, liar);
        _ = await access.SyncAsync(CancellationToken.None);
        CoinReport report = await access.CoinsAsync(Payee, CancellationToken.None);
        Assert.Equal(0, report.Answered);
        Assert.Equal(NodeFault.Lie, report.Statements[0].Fault);
    }

    [Fact]
    public async Task Assurance_says_whether_a_confirm_was_checked()
    {
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, node);
        using OwnerKey arbiter = RedeemScriptTests.Key("alice");
        Assert.Equal(HeaderAssurance.ProofOfWork, (await access.SyncAsync(CancellationToken.None)).Assurance); // no arbiters are known
        using ScanStore store = ScanStore.Open(folder.File("arbiters.db"), "reg");
        access.FollowArbiters(new ArbiterSchedule(new ArbiterSet(200, 1, [arbiter.PublicKey])), store);
        Assert.Equal(HeaderAssurance.ProofOfWork, (await access.SyncAsync(CancellationToken.None)).Assurance); // nobody has a confirm
        Assert.Equal(HeaderAssurance.Anchored, await access.AssureAsync(0, CancellationToken.None));

        node.Confirm = hash => Convert.ToHexStringLower(MakeConfirm(arbiter, ChainVectors.Hash(hash)));
        Assert.Equal(HeaderAssurance.ProofOfWorkAndConfirm, (await access.SyncAsync(CancellationToken.None)).Assurance);
        Assert.Equal(HeaderAssurance.ProofOfWorkAndConfirm, await access.AssureAsync(250, CancellationToken.None));
        Assert.Equal(HeaderAssurance.ProofOfWork, await access.AssureAsync(199, CancellationToken.None)); // before the known arbiters
        node.Confirm = _ => Convert.ToHexStringLower(MakeConfirm(arbiter, Hash256.Sha256([1])));
        Assert.Equal(HeaderAssurance.ProofOfWork, await access.AssureAsync(250, CancellationToken.None)); // of another block
    }

    [Fact]
    public async Task Arbiters_are_followed_from_announcement_to_announcement()
    {
        using OwnerKey first = RedeemScriptTests.Key("alice");
        using OwnerKey second = RedeemScriptTests.Key("bob");
        List<Block> blocks = [.. FixtureNode.RecordedBlocks().Take(110)];
        blocks.Add(FixtureNode.Mine(blocks[^1], [Announce(112, second)])); // block 110 says who decides from 112 on
        blocks.Add(FixtureNode.Mine(blocks[^1], []));
        blocks.Add(FixtureNode.Mine(blocks[^1], []));
        await using var node = new FixtureNode(blocks);
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, node);
        using ScanStore store = ScanStore.Open(folder.File("arbiters.db"), "reg");
        access.FollowArbiters(new ArbiterSchedule(new ArbiterSet(100, 1, [first.PublicKey])), store);

        node.Confirm = hash => Convert.ToHexStringLower(MakeConfirm(second, ChainVectors.Hash(hash)));
        Assert.Equal(HeaderAssurance.ProofOfWorkAndConfirm, (await access.SyncAsync(CancellationToken.None)).Assurance);
        Assert.Equal(HeaderAssurance.ProofOfWork, await access.AssureAsync(111, CancellationToken.None));
        node.Confirm = hash => Convert.ToHexStringLower(MakeConfirm(first, ChainVectors.Hash(hash)));
        Assert.Equal(HeaderAssurance.ProofOfWork, (await access.SyncAsync(CancellationToken.None)).Assurance);
        Assert.Equal(HeaderAssurance.ProofOfWorkAndConfirm, await access.AssureAsync(111, CancellationToken.None));

        // A reorganisation takes the announcement away: the first set goes on.
        Block fork = FixtureNode.Mine(blocks[109], [], salt: 3);
        Block next = FixtureNode.Mine(fork, [], salt: 3);
        Block last = FixtureNode.Mine(next, [], salt: 3);
        node.SetBlocks([.. blocks.Take(110), fork, next, last, FixtureNode.Mine(last, [], salt: 3)]);
        Assert.Equal(HeaderAssurance.ProofOfWorkAndConfirm, (await access.SyncAsync(CancellationToken.None)).Assurance);
    }

    [Fact]
    public async Task Arbiters_are_not_known_beyond_a_block_that_nobody_gives_whole()
    {
        using OwnerKey arbiter = RedeemScriptTests.Key("alice");
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        string missing = FixtureNode.RecordedBlocks()[255].Transactions[0].Id.ToString();
        node.Lie = (method, parameters, result) => method == "getrawtransaction" && parameters["txid"]!.GetValue<string>() == missing ? null : result;
        node.Confirm = hash => Convert.ToHexStringLower(MakeConfirm(arbiter, ChainVectors.Hash(hash)));
        using var folder = new TemporaryFolder();
        using ChainAccess access = Open(folder, node);
        using ScanStore store = ScanStore.Open(folder.File("arbiters.db"), "reg");
        access.FollowArbiters(new ArbiterSchedule(new ArbiterSet(200, 1, [arbiter.PublicKey])), store);
        Assert.Equal(HeaderAssurance.ProofOfWork, (await access.SyncAsync(CancellationToken.None)).Assurance);
        Assert.Equal(HeaderAssurance.ProofOfWorkAndConfirm, await access.AssureAsync(254, CancellationToken.None));
    }

    internal static ChainAccess Open(TemporaryFolder folder, params FixtureNode[] nodes) => Open(folder, Patient, nodes);

    internal static ChainAccess Open(TemporaryFolder folder, RpcPatience patience, params FixtureNode[] nodes)
    {
        HeaderAnchor anchor = HeaderAnchor.AtGenesis(HeaderTests.Network().Genesis);
        HeaderStore store = HeaderStore.Open(folder.File("headers.db"), HeaderTests.Network(), anchor);
        return new ChainAccess([.. nodes.Select(node => new RpcNode(node.Endpoint, patience))], store, TimeProvider.System);
    }

    private static Transaction Announce(uint from, OwnerKey arbiter)
    {
        var payload = new ByteWriter();
        payload.WriteUInt32(from);
        payload.WriteVarint(0);
        payload.WriteVarint(1);
        payload.WriteBytes(arbiter.PublicKey.Span);
        return new Transaction { Type = TransactionType.NextTurnDposInfo, Payload = payload.ToArray() };
    }

    private static byte[] MakeConfirm(OwnerKey arbiter, Hash256 block)
    {
        var proposal = new ByteWriter();
        proposal.WriteBytes(arbiter.PublicKey.Span);
        proposal.WriteHash(block);
        proposal.WriteUInt32(0);
        var vote = new ByteWriter();
        vote.WriteHash(Hash256.DoubleSha256(proposal.Written));
        vote.WriteBytes(arbiter.PublicKey.Span);
        vote.WriteByte(1);
        var confirm = new ByteWriter();
        byte[] signature = new byte[OwnerPublicKey.SignatureBytes];
        arbiter.SignTransaction(proposal.Written, signature);
        confirm.WriteSpan(proposal.Written);
        confirm.WriteBytes(signature);
        confirm.WriteUInt64(1);
        arbiter.SignTransaction(vote.Written, signature);
        confirm.WriteSpan(vote.Written);
        confirm.WriteBytes(signature);
        return confirm.ToArray();
    }
}
