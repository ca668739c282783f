using System.Text.Json;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Access;

/// <summary>Whole blocks, for whoever scans: the ids of each must give the root of a header we judged, so none is added or left out.</summary>
public sealed partial class RpcNode
{
    /// <summary>The blocks of consecutive headers, up to the first that the node does not give as it must be.</summary>
    internal async Task<IReadOnlyList<WholeBlock>> WholeBlocksAsync(IReadOnlyList<BlockHeader> headers, CancellationToken cancellationToken)
    {
        if (headers.Count == 0)
        {
            return [];
        }

        NodeAnswer<IReadOnlyList<BlockSummary>> summaries = await BlocksAsync(headers[0].Height, headers.Count, cancellationToken).ConfigureAwait(false);
        BlockSummary[] fitting = summaries.IsGood ? [.. summaries.Value!.TakeWhile((summary, i) => Fits(summary, headers[i]))] : [];
        Hash256[] ids = [.. fitting.SelectMany(summary => summary.TransactionIds)];
        Dictionary<Hash256, TransactionReading> readings = [];
        Dictionary<Hash256, Transaction> transactions = [];
        foreach (Hash256[] chunk in ids.Chunk(JsonRpcClient.MaxBatch))
        {
            var answers = await BatchAsync([.. chunk.Select(id => new RpcCall("getrawtransaction", ("txid", id.ToString()), ("verbose", false)))], cancellationToken).ConfigureAwait(false);
            foreach ((int i, NodeAnswer<JsonElement> answer) in answers.Index())
            {
                NodeAnswer<byte[]> raw = ReadBytes(answer);
                if (!raw.IsGood)
                {
                    continue;
                }

                readings[chunk[i]] = Transaction.TryParse(raw.Value, out Transaction? transaction);
                if (transaction is not null)
                {
                    transactions[chunk[i]] = transaction;
                }
            }
        }

        return [.. fitting.Select(summary => Join(summary, readings, transactions)).TakeWhile(block => block is not null)!];
    }

    private bool Fits(BlockSummary summary, BlockHeader header)
    {
        bool fits = summary.Header == header;
        if (fits && MerkleTree.Root(summary.TransactionIds.AsSpan()) != header.MerkleRoot)
        {
            CaughtLying($"The transactions it names do not make block {header.Hash}.");
            return false;
        }

        return fits;
    }

    /// <summary>A block with its transactions; null when one is missing or is another than was asked for.</summary>
    private WholeBlock? Join(BlockSummary summary, Dictionary<Hash256, TransactionReading> readings, Dictionary<Hash256, Transaction> transactions)
    {
        List<ProvedTransaction> proved = [];
        List<Hash256> unreadable = [];
        foreach ((int i, Hash256 id) in summary.TransactionIds.Index())
        {
            if (transactions.TryGetValue(id, out Transaction? transaction) && transaction.Id == id)
            {
                proved.Add(new ProvedTransaction(transaction, summary.Header, summary.Proof, MerkleTree.Branch(summary.TransactionIds.AsSpan(), i)));
            }
            else if (readings.TryGetValue(id, out TransactionReading reading) && reading is TransactionReading.UnknownType or TransactionReading.UnknownAttribute or TransactionReading.UnknownOutput)
            {
                unreadable.Add(id);
            }
            else
            {
                if (transaction is not null)
                {
                    CaughtLying($"Asked for transaction {id}, it gave {transaction.Id}.");
                }

                return null;
            }
        }

        return new WholeBlock(summary.Header, proved, unreadable);
    }
}
