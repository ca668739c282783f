using System.Text.Json.Nodes;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Tests.Storage;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Chain.Channels;

/// <summary>What a channel sees of the chain, through nodes that are honest, that lie, and that are gone.</summary>
public sealed class ChannelWatchTests : IDisposable
{
    private static readonly Sela Own = new(900);
    private static readonly Transaction Close = Signed(Transactions.Close(new Sela(500)));

    private readonly TemporaryFolder _folder = new();
    private readonly List<Block> _blocks = [.. FixtureNode.RecordedBlocks()];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task LookAsync_funding_counts_as_deep_as_enough_nodes_have_seen_it()
    {
        await using var node = new FixtureNode(_blocks);
        using ChainAccess access = ChainAccessTests.Open(_folder, node);
        var watch = new ChannelWatch(access, Transactions);
        Assert.Equal((0u, false), await FundingAsync(watch, access, uint.MaxValue));
        node.Pool.Add(Funding);
        Assert.Equal((0u, true), await FundingAsync(watch, access, uint.MaxValue));
        node.Pool.Clear();
        uint mined = Mine(Funding);
        Mine();
        node.SetBlocks(_blocks);
        Assert.Equal((0u, true), await FundingAsync(watch, access, mined - 1)); // one node alone shows it: on its way
        Assert.Equal((2u, false), await FundingAsync(watch, access, mined + 1));
    }

    [Fact]
    public async Task LookAsync_close_the_other_side_chose_is_found_in_the_blocks()
    {
        _ = Mine(Funding);
        _ = Mine();
        _ = Mine(Close);
        _ = Mine();
        await using var node = new FixtureNode(_blocks);
        using ChainAccess access = ChainAccessTests.Open(_folder, node);
        ChannelSight sight = (await LookAsync(new ChannelWatch(access, Transactions), access))!;
        Assert.Equal(new ChannelSpend(SpendStage.Mined, Close.Id, 2), sight.Deposit);
        Assert.Equal(SpendStage.None, sight.Ticket.Stage);
    }

    [Fact]
    public async Task LookAsync_gate_and_own_close_in_a_pool_are_seen()
    {
        _ = Mine(Funding);
        await using var node = new FixtureNode(_blocks);
        node.Pool.Add(Signed(Transactions.Gate));
        node.Pool.Add(Signed(Transactions.Close(Own)));
        using ChainAccess access = ChainAccessTests.Open(_folder, node);
        ChannelSight sight = (await LookAsync(new ChannelWatch(access, Transactions), access))!;
        Assert.Equal((SpendStage.Pooled, SpendStage.Pooled), (sight.Ticket.Stage, sight.Deposit.Stage));
    }

    [Fact]
    public async Task LookAsync_reorganisation_takes_a_close_away_again()
    {
        _ = Mine(Funding);
        List<Block> fork = [.. _blocks];
        _ = Mine(Close);
        await using var node = new FixtureNode(_blocks);
        using ChainAccess access = ChainAccessTests.Open(_folder, node);
        var watch = new ChannelWatch(access, Transactions);
        Assert.Equal(SpendStage.Mined, (await LookAsync(watch, access))!.Deposit.Stage);
        for (uint salt = 1; salt <= 3; salt++)
        {
            fork.Add(FixtureNode.Mine(fork[^1], [], salt: salt));
        }

        node.SetBlocks(fork);
        Assert.Equal(SpendStage.None, (await LookAsync(watch, access))!.Deposit.Stage);
    }

    [Fact]
    public async Task LookAsync_node_that_hides_the_funding_or_the_close_is_answered_by_one_that_proves_them()
    {
        _ = Mine(Funding);
        _ = Mine(Close);
        await using var liar = new FixtureNode(_blocks);
        await using var honest = new FixtureNode(_blocks);
        liar.Lie = (method, parameters, result) => method switch
        {
            "getrawtransaction" => null,
            "listunspent" => Listing(),
            _ => result,
        };
        using ChainAccess access = ChainAccessTests.Open(_folder, liar, honest);
        ChannelSight sight = (await LookAsync(new ChannelWatch(access, Transactions), access))!;
        Assert.Equal((2u, SpendStage.Mined, Close.Id), (sight.FundingConfirmations, sight.Deposit.Stage, sight.Deposit.Txid));
    }

    [Fact]
    public async Task LookAsync_node_that_calls_an_unspent_deposit_spent_changes_nothing()
    {
        _ = Mine(Funding);
        _ = Mine();
        await using var liar = new FixtureNode(_blocks) { Lie = static (method, _, result) => method == "listunspent" ? null : result };
        using ChainAccess access = ChainAccessTests.Open(_folder, liar);
        var watch = new ChannelWatch(access, Transactions);
        Assert.Equal((2u, SpendStage.None), ((await LookAsync(watch, access))!.FundingConfirmations, (await LookAsync(watch, access))!.Deposit.Stage));
    }

    [Theory]
    [InlineData("other")]
    [InlineData("cut")]
    [InlineData("amount")]
    [InlineData("nothing")]
    public async Task LookAsync_forged_funding_is_not_believed(string lie)
    {
        await using var liar = new FixtureNode(_blocks);
        Transaction other = Funding with { Outputs = [Funding.Outputs[0] with { Value = new Sela(1) }, Funding.Outputs[1]] };
        byte[] bytes = lie switch
        {
            "other" => Close.Encode(),
            "cut" => Funding.Encode()[..^1],
            "amount" => other.Encode(),
            _ => [],
        };
        string block = _blocks[^1].Header.Hash.ToString();
        liar.Lie = (method, parameters, result) => method != "getrawtransaction" || parameters["txid"]!.GetValue<string>() != Funding.Id.ToString() ? result
            : parameters["verbose"]!.GetValue<bool>() ? new JsonObject { ["blockhash"] = block } : JsonValue.Create(Convert.ToHexStringLower(bytes));
        using ChainAccess access = ChainAccessTests.Open(_folder, liar);
        ChannelSight? sight = await LookAsync(new ChannelWatch(access, Transactions), access);
        Assert.True(sight is null or { FundingConfirmations: 0, FundingIsPooled: false });
        Assert.NotEqual(NodeFault.None, access.Nodes[0].Health.LastFault);
    }

    [Fact]
    public async Task LookAsync_funding_placed_in_a_block_that_does_not_hold_it_has_no_confirmations()
    {
        await using var liar = new FixtureNode(_blocks);
        liar.Pool.Add(Funding);
        string block = _blocks[^1].Header.Hash.ToString();
        liar.Lie = (method, parameters, result) => method == "getrawtransaction" && parameters["verbose"]!.GetValue<bool>()
            ? new JsonObject { ["blockhash"] = block } : result;
        using ChainAccess access = ChainAccessTests.Open(_folder, liar);
        Assert.True(await LookAsync(new ChannelWatch(access, Transactions), access) is null or { FundingConfirmations: 0 });
        Assert.Equal(NodeFault.Lie, access.Nodes[0].Health.LastFault);
    }

    [Fact]
    public async Task LookAsync_transaction_nobody_can_read_is_told_and_the_search_goes_on()
    {
        _ = Mine(Funding);
        Transaction strange = Fund([new TransactionOutput(new Sela(77), default)]);
        _ = Mine(strange);
        _ = Mine(Close);
        byte[] unknownType = strange.Encode();
        unknownType[1] = 0x63;
        await using var node = new FixtureNode(_blocks);
        node.Lie = (method, parameters, result) =>
            method == "getrawtransaction" && parameters["txid"]!.GetValue<string>() == strange.Id.ToString() && !parameters["verbose"]!.GetValue<bool>()
                ? JsonValue.Create(Convert.ToHexStringLower(unknownType)) : result;
        using ChainAccess access = ChainAccessTests.Open(_folder, node);
        var watch = new ChannelWatch(access, Transactions);
        Assert.Equal(Close.Id, (await LookAsync(watch, access))!.Deposit.Txid);
        Assert.Equal(strange.Id, Assert.Single(watch.Unreadable));
    }

    [Fact]
    public async Task LookAsync_without_any_answer_sees_nothing_at_all()
    {
        var node = new FixtureNode(_blocks);
        using ChainAccess access = ChainAccessTests.Open(_folder, node);
        _ = await access.SyncAsync(TestContext.Current.CancellationToken);
        await node.DisposeAsync();
        Assert.Null(await new ChannelWatch(access, Transactions).LookAsync(uint.MaxValue, Own, TestContext.Current.CancellationToken));
    }

    private static JsonArray Listing() => [new JsonObject { ["txid"] = Funding.Id.ToString(), ["vout"] = 0, ["amount"] = Terms.Deposit.ToString() }];

    private static Transaction Signed(Transaction transaction) =>
        Transactions.WithSignatures(transaction, Sign(Payer, transaction), Sign(Payee, transaction));

    private static async Task<ChannelSight?> LookAsync(ChannelWatch watch, ChainAccess access, uint witnessed = uint.MaxValue)
    {
        _ = await access.SyncAsync(TestContext.Current.CancellationToken);
        return await watch.LookAsync(Math.Min(witnessed, access.Headers.Tip.Header.Height), Own, TestContext.Current.CancellationToken);
    }

    private static async Task<(uint Confirmations, bool IsPooled)> FundingAsync(ChannelWatch watch, ChainAccess access, uint witnessed)
    {
        ChannelSight sight = (await LookAsync(watch, access, witnessed))!;
        return (sight.FundingConfirmations, sight.FundingIsPooled);
    }

    /// <summary>One more block; its height.</summary>
    private uint Mine(params Transaction[] transactions)
    {
        _blocks.Add(FixtureNode.Mine(_blocks[^1], transactions));
        return _blocks[^1].Header.Height;
    }
}
