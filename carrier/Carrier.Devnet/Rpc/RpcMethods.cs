using System.Text.Json.Nodes;
using Carrier.Chain.Blocks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Ledger;

namespace Carrier.Devnet.Rpc;

/// <summary>The methods about blocks, transactions and mining.</summary>
internal sealed class RpcMethods(DevnetChain chain, ProgramHash miner, Func<UnixTime> now, Faucet? faucet)
{
    private readonly RpcForms _forms = new(chain);
    private readonly RpcWalletMethods _wallet = new(chain);

    /// <summary>Runs a method; false when there is none of that name.</summary>
    public bool TryRun(string method, RpcParameters parameters, out JsonNode? result)
    {
        bool known = true;
        result = method switch
        {
            "getblockcount" => chain.Height + 1,
            "getcurrentheight" => chain.Height,
            "getbestblockhash" => chain.Tip.Header.Hash.ToString(),
            "getblockhash" => BlockHash(parameters),
            "getblock" => GetBlock(parameters),
            "getblockbyheight" => GetBlockByHeight(parameters),
            "getrawtransaction" => GetRawTransaction(parameters),
            "getrawmempool" => GetRawMemPool(parameters),
            "sendrawtransaction" => SendRawTransaction(parameters),
            "getconfirmbyheight" => throw NoConfirm(FindBlockByHeight(parameters)),
            "getconfirmbyhash" => throw NoConfirm(FindBlock(parameters)),
            "createauxblock" => CreateAuxBlock(parameters),
            "submitauxblock" => SubmitAuxBlock(parameters),
            "discretemining" => DiscreteMining(parameters),
            "getmininginfo" => GetMiningInfo(),
            "getconnectioncount" => 0,
            "estimatesmartfee" => EstimateSmartFee(parameters),
            "devnetmine" => Mine(parameters),
            "devnetrewind" => Rewind(parameters),
            "devnetfaucet" when faucet is not null => Pay(faucet, parameters),
            _ => _wallet.TryRun(method, parameters, out JsonNode? answer) ? answer : Unknown(out known),
        };
        return known;
    }

    private static JsonNode? Unknown(out bool known)
    {
        known = false;
        return null;
    }

    private JsonNode BlockHash(RpcParameters parameters)
    {
        if (!parameters.TryNumber("height", 0, out uint height))
        {
            throw new RpcException(RpcError.InvalidParameters, "height parameter should be a positive integer");
        }

        return height <= chain.Height ? chain.At(height).Header.Hash.ToString() : throw new RpcException(RpcError.InvalidParameters, "Invalid Params");
    }

    private JsonNode GetBlock(RpcParameters parameters)
    {
        Block block = FindBlock(parameters);
        uint verbosity = parameters.TryNumber("verbosity", 1, out uint given) ? given : 1;
        return verbosity == 0 ? Convert.ToHexStringLower(block.Encode()) : _forms.OfBlock(block, withTransactions: verbosity > 1);
    }

    private JsonObject GetBlockByHeight(RpcParameters parameters) => _forms.OfBlock(FindBlockByHeight(parameters), withTransactions: true);

    private Block FindBlock(RpcParameters parameters)
    {
        string text = parameters.RequiredText("blockhash", 0, "block hash not found");
        if (!Hash256.TryParse(text, out Hash256 hash))
        {
            throw new RpcException(RpcError.InvalidParameters, "invalid block hash");
        }

        return chain.TryFind(hash, out Block? block) ? block! : throw new RpcException(RpcError.UnknownBlock, "Unknown Block");
    }

    private Block FindBlockByHeight(RpcParameters parameters)
    {
        if (!parameters.TryNumber("height", 0, out uint height))
        {
            throw new RpcException(RpcError.InvalidParameters, "height parameter should be a positive integer");
        }

        return height <= chain.Height ? chain.At(height) : throw new RpcException(RpcError.UnknownBlock, "not found block");
    }

    private static RpcException NoConfirm(Block block) => new(RpcError.UnknownConfirm, block.Header.Height == 0 ? "not found block" : "Unknown Confirm");

    private JsonNode GetRawTransaction(RpcParameters parameters)
    {
        byte[] bytes = Hex(parameters.Text("txid", 0)) ?? throw new RpcException(RpcError.InvalidParameters, "Invalid Params");
        if (bytes.Length != Hash256.Bytes)
        {
            throw new RpcException(RpcError.InvalidTransaction, "Invalid transaction");
        }

        Hash256 id = new Hash256(bytes).Reversed();
        Transaction transaction = chain.Ledger.TryFindMined(id, out MinedTransaction mined) ? mined.Transaction
            : chain.Ledger.Pool.GetValueOrDefault(id)
            ?? throw new RpcException(RpcError.UnknownTransaction, "cannot find transaction in blockchain and transactionpool");
        return parameters.Flag("verbose", 1) ? _forms.OfTransaction(transaction) : Convert.ToHexStringLower(transaction.Encode());
    }

    private JsonArray GetRawMemPool(RpcParameters parameters)
    {
        bool whole = parameters.Text("state", 0) == "all";
        return new JsonArray([.. chain.Ledger.Pool.Values.Select(transaction => whole ? (JsonNode)_forms.OfTransaction(transaction) : transaction.Id.ToString())]);
    }

    private JsonNode SendRawTransaction(RpcParameters parameters)
    {
        string data = parameters.RequiredText("data", 0, "need a string parameter named data");
        byte[] bytes = Hex(data) ?? throw new RpcException(RpcError.InvalidParameters, "hex string to bytes error");
        var reader = new ByteReader(bytes); // what follows the transaction is not looked at
        TransactionReading reading = Transaction.TryRead(ref reader, out Transaction? transaction);
        if (reading != TransactionReading.Read)
        {
            throw new RpcException(RpcError.InvalidTransaction, Complaint(reading, bytes));
        }

        Verdict verdict = chain.Ledger.Submit(transaction!);
        return verdict.IsAccepted ? transaction!.Id.ToString() : throw new RpcException(RpcError.InvalidTransaction, verdict.Message);
    }

    /// <summary>The node's words for bytes that are no transaction: where its reader stopped.</summary>
    private static string Complaint(TransactionReading reading, byte[] bytes) =>
        reading == TransactionReading.UnknownAttribute ? "transaction Deserialize error: [Attribute error] Deserialize Unsupported attribute Description."
        : reading == TransactionReading.UnknownOutput ? "transaction validate error: output invalid:asset ID in output is invalid"
        : reading == TransactionReading.Malformed && bytes.Length > 2 ? "transaction deserialize program error: Execute Program Deserialize Code failed."
        : "invalid transaction";

    private JsonObject CreateAuxBlock(RpcParameters parameters)
    {
        string address = parameters.RequiredText("paytoaddress", 0, "parameter paytoaddress not found");
        if (!ProgramHash.TryParse(address, out ProgramHash owner))
        {
            throw new RpcException(RpcError.Failed, "generate block failed");
        }

        Block template = chain.CreateTemplate(owner, now());
        return new JsonObject
        {
            ["chainid"] = Chain.Headers.AuxPow.ChainId,
            ["height"] = chain.Height,
            ["coinbasevalue"] = template.Transactions[0].Outputs[1].Value.Value,
            ["bits"] = $"{template.Header.Bits:x8}",
            ["hash"] = template.Header.Hash.ToInternalString(),
            ["previousblockhash"] = template.Header.Previous.ToInternalString(),
        };
    }

    private JsonNode SubmitAuxBlock(RpcParameters parameters)
    {
        string text = parameters.RequiredText("blockhash", 0, "parameter blockhash not found");
        byte[]? proof = Hex(parameters.RequiredText("auxpow", 1, "parameter auxpow not found"));
        if (proof is null || !Chain.Headers.AuxPow.TryParse(proof, out _))
        {
            throw new RpcException(RpcError.Failed, "auxpow deserialization failed");
        }

        return Hash256.TryParseInternal(text, out Hash256 hash) && chain.SubmitProof(hash, proof, now())
            ? true
            : throw new RpcException(RpcError.Failed, "adding block failed");
    }

    /// <summary>One block, whatever the count: so does the node.</summary>
    private JsonArray DiscreteMining(RpcParameters parameters) => parameters.TryNumber("count", 0, out _)
        ? new JsonArray(chain.Mine(miner, now()).Header.Hash.ToString())
        : throw new RpcException(RpcError.InvalidParameters, "Invalid Params");

    private JsonObject GetMiningInfo() => new()
    {
        ["blocks"] = chain.Height + 1,
        ["currentblocktx"] = chain.Tip.Transactions.Length,
        ["difficulty"] = "1",
        ["networkhashps"] = "1",
        ["pooledtx"] = chain.Ledger.Pool.Count,
        ["chain"] = chain.Network.Name,
    };

    private static JsonNode EstimateSmartFee(RpcParameters parameters)
    {
        const long Advice = 10_000;
        const uint MostConfirmations = 25;
        if (!parameters.TryNumber("confirmations", 0, out uint confirmations))
        {
            throw new RpcException(RpcError.InvalidParameters, "need a param called confirmations");
        }

        return confirmations <= MostConfirmations
            ? Advice
            : throw new RpcException(RpcError.InvalidParameters, "support only 25 confirmations at most");
    }

    /// <summary>Devnet's own: as many blocks as asked for.</summary>
    private JsonArray Mine(RpcParameters parameters)
    {
        const uint MostAtOnce = 1_000;
        uint count = parameters.TryNumber("count", 0, out uint asked) ? Math.Min(asked, MostAtOnce) : 1;
        var hashes = new JsonArray();
        for (uint i = 0; i < count; i++)
        {
            hashes.Add((JsonNode)chain.Mine(miner, now()).Header.Hash.ToString());
        }

        return hashes;
    }

    /// <summary>Devnet's own: coins for an address.</summary>
    private static JsonNode Pay(Faucet faucet, RpcParameters parameters)
    {
        if (!ProgramHash.TryParse(parameters.Text("address", 0), out ProgramHash owner)
            || !Sela.TryParse(parameters.Text("amount", 1) ?? "10", out Sela amount))
        {
            throw new RpcException(RpcError.InvalidParameters, "address is an address and amount decimal ELA in a string");
        }

        return faucet.Pay(owner, amount)?.Id.ToString() ?? throw new RpcException(RpcError.Failed, "the faucet has no coin that large: mine a block, or ask for less");
    }

    /// <summary>Devnet's own: takes blocks off the tip, so that others can be mined in their place.</summary>
    private JsonNode Rewind(RpcParameters parameters)
    {
        if (!parameters.TryNumber("blocks", 0, out uint blocks) || blocks > chain.Height)
        {
            throw new RpcException(RpcError.InvalidParameters, "blocks is a number up to the height");
        }

        chain.Rewind((int)blocks);
        return chain.Height;
    }

    private static byte[]? Hex(string? text)
    {
        byte[] bytes = new byte[(text?.Length ?? 0) / 2];
        bool valid = text is not null && text.Length % 2 == 0
            && Convert.FromHexString(text, bytes, out _, out _) == System.Buffers.OperationStatus.Done;
        return valid ? bytes : null;
    }
}
