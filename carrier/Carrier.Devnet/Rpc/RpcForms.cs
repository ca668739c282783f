using System.Text.Json.Nodes;
using Carrier.Chain.Blocks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Ledger;

namespace Carrier.Devnet.Rpc;

/// <summary>Blocks, transactions and coins in the node's JSON.</summary>
internal sealed class RpcForms(DevnetChain chain)
{
    private static readonly string AssetText = TransactionOutput.Ela.ToString();

    /// <param name="block">A block of the chain.</param>
    /// <param name="withTransactions">Whether transactions come whole, or as their ids.</param>
    public JsonObject OfBlock(Block block, bool withTransactions)
    {
        uint height = block.Header.Height;
        int size = block.Encode().Length;
        return new JsonObject
        {
            ["hash"] = block.Header.Hash.ToString(),
            ["confirmations"] = Confirmations(height),
            ["strippedsize"] = size,
            ["size"] = size,
            ["weight"] = 4 * size,
            ["height"] = height,
            ["version"] = block.Header.Version,
            ["versionhex"] = $"{block.Header.Version:x8}",
            ["merkleroot"] = block.Header.MerkleRoot.ToString(),
            ["tx"] = new JsonArray([.. block.Transactions.Select(transaction => withTransactions ? (JsonNode)OfTransaction(transaction) : transaction.Id.ToString())]),
            ["time"] = block.Header.Timestamp,
            ["mediantime"] = block.Header.Timestamp,
            ["nonce"] = block.Header.Nonce,
            ["bits"] = block.Header.Bits,
            ["difficulty"] = "1",
            ["chainwork"] = $"{chain.Height - height:x8}",
            ["previousblockhash"] = block.Header.Previous.ToString(),
            ["nextblockhash"] = height < chain.Height ? chain.At(height + 1).Header.Hash.ToString() : default(Hash256).ToString(),
            ["auxpow"] = Convert.ToHexStringLower(block.Proof.Span),
            ["minerinfo"] = MinerInfo(block.Transactions[0]),
        };
    }

    public JsonObject OfTransaction(Transaction transaction)
    {
        int size = transaction.Encode().Length;
        Block? block = chain.Ledger.TryFindMined(transaction.Id, out MinedTransaction mined) ? chain.At(mined.Height) : null;
        return new JsonObject
        {
            ["txid"] = transaction.Id.ToString(),
            ["hash"] = transaction.Id.ToString(),
            ["size"] = size,
            ["vsize"] = size,
            ["version"] = (int)transaction.Version,
            ["type"] = (int)transaction.Type,
            ["payloadversion"] = transaction.PayloadVersion,
            ["payload"] = transaction.IsCoinBase ? new JsonObject { ["coinbasedata"] = MinerInfo(transaction) } : null,
            ["attributes"] = new JsonArray([.. transaction.Attributes.Select(OfAttribute)]),
            ["vin"] = new JsonArray([.. transaction.Inputs.Select(OfInput)]),
            ["vout"] = new JsonArray([.. transaction.Outputs.Select(OfOutput)]),
            ["locktime"] = transaction.LockTime,
            ["programs"] = new JsonArray([.. transaction.Programs.Select(OfProgram)]),
            ["blockhash"] = block?.Header.Hash.ToString() ?? "",
            ["confirmations"] = block is null ? 0 : Confirmations(block.Header.Height),
            ["time"] = block?.Header.Timestamp ?? 0,
            ["blocktime"] = block?.Header.Timestamp ?? 0,
        };
    }

    public JsonObject OfCoin(OutPoint outPoint, Coin coin) => new()
    {
        ["txtype"] = coin.IsCoinBase ? (int)TransactionType.CoinBase : (int)TransactionType.TransferAsset,
        ["txid"] = outPoint.TransactionId.ToString(),
        ["assetid"] = AssetText,
        ["vout"] = outPoint.Index,
        ["address"] = coin.Output.Owner.ToString(),
        ["amount"] = coin.Output.Value.ToString(),
        ["outputlock"] = coin.Output.OutputLock,
        ["confirmations"] = Confirmations(coin.Height),
    };

    private static JsonNode OfAttribute(TransactionAttribute attribute) =>
        new JsonObject { ["usage"] = (int)attribute.Usage, ["data"] = Convert.ToHexStringLower(attribute.Data.Span) };

    private static JsonNode OfInput(TransactionInput input) => new JsonObject
    {
        ["txid"] = input.Previous.TransactionId.ToString(),
        ["vout"] = input.Previous.Index,
        ["sequence"] = input.Sequence,
    };

    private static JsonNode OfOutput(TransactionOutput output, int place) => new JsonObject
    {
        ["value"] = output.Value.ToString(),
        ["n"] = place,
        ["address"] = output.Owner.ToString(),
        ["assetid"] = output.Asset.ToString(),
        ["outputlock"] = output.OutputLock,
        ["type"] = 0,
        ["payload"] = null,
    };

    private static JsonNode OfProgram(TransactionProgram program) => new JsonObject
    {
        ["code"] = Convert.ToHexStringLower(program.Code.Span),
        ["parameter"] = Convert.ToHexStringLower(program.Parameter.Span),
    };

    /// <summary>What the coinbase says: bytes with their length before them, as text.</summary>
    private static string MinerInfo(Transaction coinBase)
    {
        var reader = new ByteReader(coinBase.Payload.Span);
        return reader.TryReadBytes(coinBase.Payload.Length, out ReadOnlySpan<byte> text) ? System.Text.Encoding.UTF8.GetString(text) : "";
    }

    private uint Confirmations(uint height) => chain.Height - height + 1;
}
