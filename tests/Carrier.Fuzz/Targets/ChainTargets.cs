using System.Text;
using System.Text.Json;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Dpos;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Registry;
using Carrier.Chain.Spv;
using Carrier.Chain.Transactions;
using Carrier.Chain.Wallet;

namespace Carrier.Fuzz.Targets;

/// <summary>Everything of the chain that comes from nodes, peers or files of strangers.</summary>
public static class ChainTargets
{
    public static void Transactions(ReadOnlySpan<byte> data)
    {
        if (Transaction.TryParse(data, out Transaction? transaction) != TransactionReading.Read)
        {
            Assert.Null(transaction);
            return;
        }

        Assert.True(data.SequenceEqual(transaction!.Encode()));
        Assert.True(transaction.OutputTotal <= Sela.Max);
        _ = RegistryProof.TryGetAuthor(transaction, out _);
        if (RegistryRecord.TryRead(transaction, out RegistryRecord? record))
        {
            Assert.True(RegistryRecord.TryRead(transaction with { Payload = record.ToPayload().Encode() }, out RegistryRecord? again));
            Assert.Equal(record, again);
        }

        if (ArbiterSet.TryRead(transaction, out ArbiterSet? arbiters))
        {
            Assert.InRange(arbiters!.Keys.Count, 0, arbiters.Seats);
        }
    }

    public static void Blocks(ReadOnlySpan<byte> data)
    {
        if (Block.TryParse(data, out Block? block) == BlockReading.Read)
        {
            Assert.True(data.SequenceEqual(block!.Encode()));
        }
    }

    public static void Proofs(ReadOnlySpan<byte> data)
    {
        if (AuxPow.TryParse(data, out AuxPow proof))
        {
            _ = proof.Check(Hash256.Sha256(data), Hash256.Sha256([]));
        }
    }

    public static void Confirms(ReadOnlySpan<byte> data)
    {
        if (Confirm.TryParse(data, out Confirm? confirm))
        {
            Assert.InRange(confirm!.Votes.Length, 0, Confirm.MaxVotes);
            Assert.NotEqual(ConfirmRule.None, confirm.Check(Hash256.Sha256(data), new ArbiterSet(0, 4, [])));
        }
    }

    public static void RedeemScripts(ReadOnlySpan<byte> data)
    {
        if (RedeemScript.TryParse(data, out RedeemScript? script))
        {
            Assert.True(data.SequenceEqual(script.Code.Span));
            Assert.InRange(script.Required, 1, script.Keys.Length);
        }
    }

    public static void MerkleBlocks(ReadOnlySpan<byte> data)
    {
        if (MerkleBlock.TryParse(data, out MerkleBlock? block))
        {
            Assert.All(block!.Matches, match => Assert.InRange(match.Index, 0, block.TransactionCount - 1));
        }
    }

    public static void PeerFrames(ReadOnlySpan<byte> data)
    {
        if (PeerFrame.TryReadHeader(data, 2018299, out string command, out int length) != FrameReading.Read)
        {
            return;
        }

        Assert.InRange(length, 0, PeerFrame.MaxPayloadBytes);
        Assert.InRange(command.Length, 0, PeerFrame.CommandBytes);
        ReadOnlySpan<byte> payload = data[PeerFrame.HeaderBytes..];
        _ = PeerMessages.TryReadVersion(payload, out _);
        _ = PeerMessages.TryReadGetBlocks(payload, out _, out _);
        _ = PeerMessages.TryReadFilterAdd(payload, out _);
        if (PeerMessages.TryReadFilterLoad(payload, out BloomFilter? filter))
        {
            filter.Add([1]);
            Assert.True(filter.Contains([1]));
        }

        _ = PeerMessages.TryReadInventory(payload, out _);
        _ = PeerMessages.TryReadReject(payload, out _);
        _ = PeerMessages.TryReadPing(payload, out _);
    }

    public static void Amounts(ReadOnlySpan<byte> data)
    {
        if (Sela.TryParse(Encoding.UTF8.GetString(data), out Sela amount))
        {
            Assert.True(Sela.TryParse(amount.ToString(), out Sela back));
            Assert.Equal(amount, back);
        }
    }

    public static void InclusionProofs(ReadOnlySpan<byte> data)
    {
        if (InclusionProof.Verify(data, out string network, out ProvedTransaction? proved) == InclusionVerdict.Sound)
        {
            Assert.Equal(InclusionVerdict.Sound, InclusionProof.Verify(InclusionProof.Write(network, proved!), out _, out _));
        }
    }

    public static void RegistryProofs(ReadOnlySpan<byte> data)
    {
        if (RegistryProofFile.Verify(data, out string network, out IReadOnlyList<RegistryProof> proofs) == InclusionVerdict.Sound)
        {
            var index = RegistryIndex.Of(proofs);
            Assert.Equal(proofs[^1].Height, index.ScannedTo);
            Assert.Equal(InclusionVerdict.Sound, RegistryProofFile.Verify(RegistryProofFile.Write(network, proofs), out _, out IReadOnlyList<RegistryProof> again));
            Assert.Equal(proofs.Count, again.Count);
        }
    }

    public static void CheckpointFiles(ReadOnlySpan<byte> data)
    {
        if (CheckpointFile.TryParseUnsigned(data, out CheckpointFile? file))
        {
            Assert.InRange(file.Checkpoints.Length, 0, CheckpointFile.MaxCheckpoints);
        }

        _ = CheckpointFile.TryParse(data, Checkpoints.ProjectKey, out _);
        _ = CheckpointFile.TryParseArbiters(Encoding.ASCII.GetString(data), out _);
    }

    public static void NodeBlocks(ReadOnlySpan<byte> data)
    {
        JsonDocument document;
        try
        {
            document = ForeignJson.Parse(data.ToArray(), maxDepth: 16);
        }
        catch (JsonException)
        {
            return; // what the client answers for in one place
        }

        using (document)
        {
            if (BlockSummary.TryRead(document.RootElement) is { } block)
            {
                Assert.Equal(BlockHeader.Bytes, block.Core.Length);
            }
        }
    }
}
