using System.Collections.Immutable;
using Carrier.Chain.Primitives;
using Carrier.Core.Identity;

namespace Carrier.Chain.Dpos;

/// <summary>The arbiters' agreement on a block. It is not part of the block hash, so it is asked for and judged beside the header.</summary>
/// <remarks>
/// <code>
///  proposal   bytes sponsor key | block hash 32 | view offset 4 | bytes signature     signed: all before the signature
///  votes      count 8 | n × ( proposal hash 32 | bytes signer key | accept 1 | bytes signature )
/// </code>
/// The proposal hash is SHA256d of the proposal's signed part; signatures are over SHA-256, either half of <c>s</c>.
/// </remarks>
public sealed record Confirm(ConfirmProposal Proposal, ImmutableArray<ConfirmVote> Votes)
{
    /// <summary>Votes in a confirm: no set of arbiters is larger.</summary>
    public const int MaxVotes = ArbiterSet.MaxArbiters;

    private const int MinVoteBytes = Hash256.Bytes + 1 + 1 + 1;

    /// <summary>Reads exactly one confirm.</summary>
    public static bool TryParse(ReadOnlySpan<byte> encoded, out Confirm? confirm)
    {
        confirm = null;
        var reader = new ByteReader(encoded);
        if (!TryReadProposal(ref reader, out ConfirmProposal proposal)
            || !reader.TryReadUInt64(out ulong count) || count > MaxVotes || count > (ulong)(reader.Remaining / MinVoteBytes))
        {
            return false;
        }

        var votes = ImmutableArray.CreateBuilder<ConfirmVote>((int)count);
        for (ulong i = 0; i < count; i++)
        {
            if (!TryReadVote(ref reader, out ConfirmVote vote))
            {
                return false;
            }

            votes.Add(vote);
        }

        confirm = reader.AtEnd ? new Confirm(proposal, votes.MoveToImmutable()) : null;
        return confirm is not null;
    }

    /// <summary>Judges the bytes of a confirm for a block by the arbiters in office.</summary>
    public static ConfirmRule Check(ReadOnlySpan<byte> encoded, Hash256 blockHash, ArbiterSet arbiters) =>
        TryParse(encoded, out Confirm? confirm) ? confirm!.Check(blockHash, arbiters) : ConfirmRule.Parse;

    /// <summary>Judges rule after rule in the nodes' order.</summary>
    public ConfirmRule Check(Hash256 blockHash, ArbiterSet arbiters)
    {
        ArgumentNullException.ThrowIfNull(arbiters);
        ConfirmRule rule = CheckSignatures();
        if (rule != ConfirmRule.None)
        {
            return rule;
        }

        if (Proposal.BlockHash != blockHash)
        {
            return ConfirmRule.BlockHash;
        }

        if (Votes.Select(vote => vote.Signer).Distinct().Count() <= arbiters.MajorityFloor)
        {
            return ConfirmRule.Majority;
        }

        if (!arbiters.Contains(Proposal.Sponsor))
        {
            return ConfirmRule.Sponsor;
        }

        return Votes.All(vote => arbiters.Contains(vote.Signer)) ? ConfirmRule.None : ConfirmRule.Voter;
    }

    private ConfirmRule CheckSignatures()
    {
        if (!Proposal.Sponsor.VerifyTransaction(Proposal.SignedData.Span, Proposal.Signature.Span))
        {
            return ConfirmRule.ProposalSignature;
        }

        foreach (ConfirmVote vote in Votes)
        {
            if (!vote.Accepts)
            {
                return ConfirmRule.RejectVote;
            }

            if (vote.ProposalHash != Proposal.Hash)
            {
                return ConfirmRule.VoteProposal;
            }

            if (!vote.Signer.VerifyTransaction(vote.SignedData.Span, vote.Signature.Span))
            {
                return ConfirmRule.VoteSignature;
            }
        }

        return ConfirmRule.None;
    }

    private static bool TryReadProposal(ref ByteReader reader, out ConfirmProposal proposal)
    {
        proposal = default;
        int start = reader.Position;
        if (!TryReadKey(ref reader, out OwnerPublicKey sponsor) || !reader.TryReadHash(out Hash256 block) || !reader.TryReadUInt32(out uint view))
        {
            return false;
        }

        byte[] signed = reader.Since(start).ToArray();
        bool read = reader.TryReadBytes(OwnerPublicKey.SignatureBytes, out ReadOnlySpan<byte> signature);
        proposal = read ? new ConfirmProposal(sponsor, block, view, signed, signature.ToArray()) : default;
        return read;
    }

    private static bool TryReadVote(ref ByteReader reader, out ConfirmVote vote)
    {
        vote = default;
        int start = reader.Position;
        if (!reader.TryReadHash(out Hash256 proposal) || !TryReadKey(ref reader, out OwnerPublicKey signer) || !reader.TryReadByte(out byte accept) || accept > 1)
        {
            return false;
        }

        byte[] signed = reader.Since(start).ToArray();
        bool read = reader.TryReadBytes(OwnerPublicKey.SignatureBytes, out ReadOnlySpan<byte> signature);
        vote = read ? new ConfirmVote(proposal, signer, accept == 1, signed, signature.ToArray()) : default;
        return read;
    }

    private static bool TryReadKey(ref ByteReader reader, out OwnerPublicKey key)
    {
        key = default;
        return reader.TryReadBytes(OwnerPublicKey.Bytes, out ReadOnlySpan<byte> bytes) && OwnerPublicKey.TryFromBytes(bytes, out key);
    }
}

/// <summary>One arbiter proposes a block.</summary>
public readonly record struct ConfirmProposal(
    OwnerPublicKey Sponsor, Hash256 BlockHash, uint ViewOffset, ReadOnlyMemory<byte> SignedData, ReadOnlyMemory<byte> Signature)
{
    public Hash256 Hash => Hash256.DoubleSha256(SignedData.Span);
}

/// <summary>One arbiter's answer to a proposal.</summary>
public readonly record struct ConfirmVote(
    Hash256 ProposalHash, OwnerPublicKey Signer, bool Accepts, ReadOnlyMemory<byte> SignedData, ReadOnlyMemory<byte> Signature);
