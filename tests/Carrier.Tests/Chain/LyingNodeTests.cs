using System.Text.Json.Nodes;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain;

/// <summary>THREATS, "lying node": every field of every answer, in every way a field can be wrong, beside one honest node. The wallet never has more than it has, never
/// throws, and what the honest node shows is there: to be spent, or as disputed.</summary>
public sealed class LyingNodeTests
{
    private const int Length = 103;

    private static readonly OwnerKey Owner = RedeemScriptTests.Key("alice");

    private static readonly ProgramHash Account = ProgramHash.FromTrustId(Owner.TrustId);

    private static readonly List<Block> Blocks = Chain();

    /// <summary>An answer's place and the field in it; a field named "" is the answer itself.</summary>
    public static TheoryData<string, string> Fields => new()
    {
        { "getblockcount", "" },
        { "getblockhash", "" },
        { "getblock", "" },
        { "getblock", "version" },
        { "getblock", "previousblockhash" },
        { "getblock", "merkleroot" },
        { "getblock", "time" },
        { "getblock", "bits" },
        { "getblock", "nonce" },
        { "getblock", "height" },
        { "getblock", "auxpow" },
        { "getblock", "tx" },
        { "getrawtransaction", "" },
        { "getrawtransaction", "blockhash" },
        { "listunspent", "" },
        { "listunspent", "txid" },
        { "listunspent", "vout" },
        { "listunspent", "amount" },
        { "sendrawtransaction", "" },
    };

    [Theory]
    [MemberData(nameof(Fields))]
    public async Task A_lie_in_this_field_costs_no_money(string method, string field)
    {
        await using var liar = new FixtureNode(Blocks);
        await using var honest = new FixtureNode(Blocks);
        foreach (Func<JsonNode?> wrong in Wrongs())
        {
            liar.Lie = (asked, _, result) => asked == method ? Change(result, field, wrong()) : result;
            honest.Pool.Clear();
            using var folder = new TemporaryFolder();
            using ChainAccess access = Open(folder, liar, honest);
            using WalletStore store = WalletStore.Open(folder.File("wallet.db"));
            var wallet = new ChainWallet(access, store, Owner.TrustId, new Carrier.Simulation.SeededRandom(1), TimeProvider.System);
            SyncReport report = await wallet.SyncAsync(CancellationToken.None);
            Assert.Equal((uint)Length, report.Height);
            Balance balance = await wallet.BalanceAsync(CancellationToken.None);
            Assert.Equal(Genesis.Supply, balance.Confirmed + balance.Disputed);
            if (balance.Confirmed > Sela.Zero)
            {
                Sending sending = await wallet.SendAsync(Owner, Account, Sela.FromEla(1), CoinSelection.DefaultFee, "", CancellationToken.None);
                Assert.Equal(SendingResult.Sent, sending.Result);
                Assert.Equal(sending.Transaction!.Id, Assert.Single(honest.Pool).Id);
            }
        }
    }

    /// <summary>Of each type, the least, the greatest, another sound one, and none.</summary>
    private static IEnumerable<Func<JsonNode?>> Wrongs()
    {
        yield return () => null;
        yield return () => true;
        yield return () => 0;
        yield return () => -1;
        yield return () => ulong.MaxValue;
        yield return () => 0.5;
        yield return () => "";
        yield return () => "zz";
        yield return () => Hash256.Sha256([1]).ToString();
        yield return () => Blocks[50].Header.Hash.ToString();
        yield return () => "41219999.99999999";
        yield return () => new string('f', 100_000);
        yield return () => new JsonArray();
        yield return () => new JsonArray("x", 1, null);
        yield return () => new JsonObject();
    }

    private static JsonNode? Change(JsonNode? result, string field, JsonNode? wrong)
    {
        if (field.Length == 0)
        {
            return wrong;
        }

        JsonObject? target = result as JsonObject ?? (result as JsonArray)?[0] as JsonObject;
        if (target is not null && target.ContainsKey(field))
        {
            target[field] = wrong;
        }

        return result;
    }

    private static ChainAccess Open(TemporaryFolder folder, params FixtureNode[] nodes)
    {
        ChainNetwork network = ChainNetwork.Private("private", Account);
        HeaderStore store = HeaderStore.Open(folder.File("headers.db"), network, HeaderAnchor.AtGenesis(network.Genesis));
        return new ChainAccess([.. nodes.Select(node => new RpcNode(node.Endpoint, ChainAccessTests.Patient))], store, TimeProvider.System);
    }

    private static List<Block> Chain()
    {
        List<Block> blocks = [new Block(Genesis.Create(Account), Array.Empty<byte>(), Genesis.Transactions(Account))];
        for (int i = 0; i < Length; i++)
        {
            blocks.Add(FixtureNode.Mine(blocks[^1], []));
        }

        return blocks;
    }
}
