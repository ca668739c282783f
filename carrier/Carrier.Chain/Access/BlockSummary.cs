using System.Collections.Immutable;
using System.Text.Json;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Access;

/// <summary>A block as <c>getblock</c> with verbosity 1 gives it: header, proof and ids, which is all that inclusion needs, whatever kinds of transactions it holds.</summary>
public sealed record BlockSummary(BlockHeader Header, ReadOnlyMemory<byte> Proof, ImmutableArray<Hash256> TransactionIds)
{
    /// <summary>Longest proof read.</summary>
    public const int MaxProofBytes = 1 << 20;

    /// <summary>The 84 bytes.</summary>
    public byte[] Core
    {
        get
        {
            byte[] core = new byte[BlockHeader.Bytes];
            Header.CopyTo(core);
            return core;
        }
    }

    /// <summary>Proves that an id is in the block; null when it is not, or the ids do not fit the header.</summary>
    public MerkleBranch? BranchOf(Hash256 id)
    {
        int index = TransactionIds.IndexOf(id);
        if (index < 0)
        {
            return null;
        }

        MerkleBranch branch = MerkleTree.Branch(TransactionIds.AsSpan(), index);
        return branch.Proves(id, Header.MerkleRoot) ? branch : null;
    }

    internal static BlockSummary? TryRead(JsonElement block)
    {
        if (block.ValueKind != JsonValueKind.Object
            || !TryNumber(block, "version", out uint version) || !TryHash(block, "previousblockhash", out Hash256 previous)
            || !TryHash(block, "merkleroot", out Hash256 root) || !TryNumber(block, "time", out uint time) || !TryNumber(block, "bits", out uint bits)
            || !TryNumber(block, "nonce", out uint nonce) || !TryNumber(block, "height", out uint height)
            || !block.TryGetProperty("auxpow", out JsonElement auxPow) || ReadHex(auxPow) is not { Length: <= MaxProofBytes } proof
            || !block.TryGetProperty("tx", out JsonElement list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > MerkleTree.MaxTransactions)
        {
            return null;
        }

        var ids = ImmutableArray.CreateBuilder<Hash256>(list.GetArrayLength());
        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || !Hash256.TryParse(item.GetString(), out Hash256 id))
            {
                return null;
            }

            ids.Add(id);
        }

        return new BlockSummary(new BlockHeader(version, previous, root, time, bits, nonce, height), proof, ids.MoveToImmutable());
    }

    internal static byte[]? ReadHex(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String || value.GetString() is not { } hex || hex.Length % 2 != 0)
        {
            return null;
        }

        byte[] bytes = new byte[hex.Length / 2];
        return Convert.FromHexString(hex, bytes, out _, out _) == System.Buffers.OperationStatus.Done ? bytes : null;
    }

    private static bool TryNumber(JsonElement block, string name, out uint number)
    {
        number = 0;
        return block.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetUInt32(out number);
    }

    private static bool TryHash(JsonElement block, string name, out Hash256 hash)
    {
        hash = default;
        return block.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String && Hash256.TryParse(value.GetString(), out hash);
    }
}
