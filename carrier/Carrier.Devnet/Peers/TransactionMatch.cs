using Carrier.Chain.Primitives;
using Carrier.Chain.Spv;
using Carrier.Chain.Transactions;

namespace Carrier.Devnet.Peers;

/// <summary>Whether a filter wants a transaction (BIP 37), for this chain's items: ids, program hashes of outputs, outpoints of spends.</summary>
internal static class TransactionMatch
{
    /// <summary>True on a match. The outpoint of every matched output joins the filter, so that its spend matches too.</summary>
    public static bool Update(BloomFilter filter, Transaction transaction)
    {
        Span<byte> item = stackalloc byte[OutPoint.Bytes];
        transaction.Id.CopyTo(item);
        bool matches = filter.Contains(item[..Hash256.Bytes]);
        for (int i = 0; i < transaction.Outputs.Length; i++)
        {
            if (filter.Contains(transaction.Outputs[i].Owner.Span))
            {
                filter.Add(new OutPoint(transaction.Id, (ushort)i));
                matches = true;
            }
        }

        for (int i = 0; i < transaction.Inputs.Length && !matches; i++)
        {
            transaction.Inputs[i].Previous.CopyTo(item);
            matches = filter.Contains(item);
        }

        return matches;
    }
}
