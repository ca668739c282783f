using System.Text.Json.Nodes;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Ledger;

namespace Carrier.Devnet.Rpc;

/// <summary>The methods about an address's coins. They count coins already spent in the pool, as the node does.</summary>
internal sealed class RpcWalletMethods(DevnetChain chain)
{
    private readonly RpcForms _forms = new(chain);

    public bool TryRun(string method, RpcParameters parameters, out JsonNode? result)
    {
        (bool known, result) = method switch
        {
            "listunspent" => (true, ListUnspent(parameters)),
            "getutxosbyamount" => (true, GetUtxosByAmount(parameters)),
            "getreceivedbyaddress" => (true, GetReceivedByAddress(parameters)),
            _ => (false, null),
        };
        return known;
    }

    /// <summary>Null, and no empty list, when there is nothing.</summary>
    private JsonArray? ListUnspent(RpcParameters parameters)
    {
        if (!parameters.TryList("addresses", 0, out JsonArray? addresses))
        {
            throw new RpcException(RpcError.InvalidParameters, "need addresses in an array!");
        }

        var found = new JsonArray();
        foreach (JsonNode? address in addresses)
        {
            ProgramHash owner = Owner(address is JsonValue value && value.TryGetValue(out string? text) ? text : "");
            foreach ((OutPoint outPoint, Coin coin) in CoinsOf(owner))
            {
                found.Add((JsonNode)_forms.OfCoin(outPoint, coin));
            }
        }

        return found.Count == 0 ? null : found;
    }

    private JsonArray GetUtxosByAmount(RpcParameters parameters)
    {
        ProgramHash owner = Owner(parameters.RequiredText("address", 0, "need a parameter named address!"));
        string text = parameters.RequiredText("amount", 1, "need a parameter named amount!");
        if (!Sela.TryParse(text, out Sela amount))
        {
            throw new RpcException(RpcError.InvalidParameters, "invalid amount!");
        }

        bool onlyUnused = parameters.Text("utxotype", 2) == "unused";
        var chosen = new JsonArray();
        Sela sum = Sela.Zero;
        foreach ((OutPoint outPoint, Coin coin) in CoinsOf(owner))
        {
            bool isMature = !coin.IsCoinBase || chain.Height - coin.Height >= TransactionLedger.CoinBaseMaturity;
            if (sum < amount && isMature && !(onlyUnused && chain.Ledger.TryFindPoolSpender(outPoint, out _)))
            {
                sum += coin.Output.Value;
                chosen.Add((JsonNode)_forms.OfCoin(outPoint, coin));
            }
        }

        return sum >= amount && chosen.Count > 0 ? chosen : throw new RpcException(RpcError.Failed, "not enough utxo");
    }

    private JsonNode GetReceivedByAddress(RpcParameters parameters)
    {
        ProgramHash owner = Owner(parameters.RequiredText("address", 0, "need a parameter named address"));
        Sela total = CoinsOf(owner).Aggregate(Sela.Zero, (sum, coin) => sum + coin.Coin.Output.Value);
        return total.ToString();
    }

    /// <summary>In the order of the chain.</summary>
    private IEnumerable<(OutPoint OutPoint, Coin Coin)> CoinsOf(ProgramHash owner) =>
        chain.Ledger.Coins.Where(coin => coin.Value.Output.Owner == owner)
            .OrderBy(coin => coin.Value.Height)
            .ThenBy(coin => PlaceInBlock(coin.Key.TransactionId, coin.Value.Height))
            .ThenBy(coin => coin.Key.Index)
            .Select(coin => (coin.Key, coin.Value));

    private int PlaceInBlock(Hash256 id, uint height)
    {
        IReadOnlyList<Transaction> transactions = chain.Ledger.TransactionsAt(height);
        int place = 0;
        while (transactions[place].Id != id)
        {
            place++;
        }

        return place;
    }

    private static ProgramHash Owner(string address)
    {
        const int AddressLength = 34;
        if (ProgramHash.TryParse(address, out ProgramHash owner))
        {
            return owner;
        }

        throw new RpcException(
            RpcError.InvalidParameters,
            address.Length != AddressLength
                ? "invalid address, [Uint168FromAddress] error, len != 34"
                : "invalid address, [Uint168FromAddress]: decode address verify failed.");
    }
}
