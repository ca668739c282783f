using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Registry;

/// <summary>Feeds the index from nodes. No node can add a record or leave out a transaction: the list of ids must give the merkle root of a header we judged.</summary>
public sealed class RegistryScanner(ChainAccess access, RegistryIndex index, uint from)
{
    private readonly Dictionary<uint, Hash256> _scanned = [];
    private readonly List<Hash256> _unreadable = [];

    /// <summary>Transactions that are in a block and that no node gave in a form this client reads. None of them is a Record, if the nodes are honest about their kind.</summary>
    public IReadOnlyList<Hash256> Unreadable => _unreadable;

    /// <summary>Goes on to the tip of the header chain; rewinds first what a reorganisation left. False when no node gave a block: nothing is skipped.</summary>
    public async Task<bool> ScanAsync(CancellationToken cancellationToken)
    {
        uint height = Math.Max(index.ScannedTo + 1, from);
        while (height > from && _scanned.TryGetValue(height - 1, out Hash256 known) && !access.IsOnChain(height - 1, known))
        {
            height--;
        }

        if (height <= index.ScannedTo)
        {
            index.Rewind(height - 1);
        }

        for (; height <= access.Headers.Tip.Header.Height; height++)
        {
            if (!access.TryGetHeader(height, out BlockHeader header) || await ReadAsync(header, cancellationToken).ConfigureAwait(false) is not { } proofs)
            {
                return false;
            }

            index.Apply(height, proofs);
            _scanned[height] = header.Hash;
            _ = _scanned.Remove(height - Math.Min(height, HeaderChain.MaxReorganisation + 1));
        }

        return true;
    }

    private async Task<IReadOnlyList<RegistryProof>?> ReadAsync(BlockHeader header, CancellationToken cancellationToken)
    {
        foreach (RpcNode node in access.Nodes)
        {
            NodeAnswer<BlockSummary> block = await node.BlockAsync(header.Hash, cancellationToken).ConfigureAwait(false);
            if (!block.IsGood || MerkleTree.Root(block.Value!.TransactionIds.AsSpan()) != header.MerkleRoot)
            {
                continue;
            }

            List<RegistryProof> proofs = [];
            bool complete = true;
            foreach (Hash256 id in block.Value.TransactionIds)
            {
                NodeAnswer<TransactionSighting> seen = await node.TransactionAsync(id, cancellationToken).ConfigureAwait(false);
                if (seen.IsGood && RegistryProof.From(new(seen.Value!.Transaction, header, block.Value.Proof, block.Value.BranchOf(id)!)) is { } proof)
                {
                    proofs.Add(proof);
                }
                else if (seen.Fault == NodeFault.Malformed)
                {
                    _unreadable.Add(id);
                }
                else if (!seen.IsGood)
                {
                    complete = false;
                    break;
                }
            }

            if (complete)
            {
                return proofs;
            }
        }

        return null;
    }
}
