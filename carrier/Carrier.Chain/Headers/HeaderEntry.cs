using System.Collections.Immutable;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Headers;

/// <summary>A header in a chain: its hash, and the work of the chain up to and with it.</summary>
public readonly record struct HeaderEntry(BlockHeader Header, Hash256 Hash, ChainWork Work);

/// <summary>Where a chain of headers begins: a genesis block, or a block a signed checkpoint vouches for.</summary>
/// <param name="Header">The block. But for a genesis its height is a multiple of 720, so that the first retarget needs nothing older.</param>
/// <param name="Work">All work up to and with it.</param>
/// <param name="EarlierTimestamps">The ten before it, newest first, for the median; none for a genesis block.</param>
public sealed record HeaderAnchor(BlockHeader Header, ChainWork Work, ImmutableArray<uint> EarlierTimestamps)
{
    /// <summary>Genesis stands for no work: every chain has it.</summary>
    public static HeaderAnchor AtGenesis(BlockHeader genesis) => new(genesis, ChainWork.None, []);
}

/// <summary>What became of a header.</summary>
/// <param name="Step">The outcome.</param>
/// <param name="Rule">The rule it broke, when refused.</param>
/// <param name="Fork">The last height both chains have, after a reorganisation.</param>
public readonly record struct HeaderVerdict(HeaderStep Step, HeaderRule Rule, uint Fork = 0);

/// <summary>What <see cref="HeaderChain.Add"/> did.</summary>
public enum HeaderStep
{
    /// <summary>It is the new tip.</summary>
    Extended,

    /// <summary>It is sound and beside the best chain.</summary>
    Branch,

    /// <summary>Its branch has more work and is now the best chain.</summary>
    Reorganised,

    /// <summary>It was here already.</summary>
    Known,

    /// <summary>Its predecessor is unknown.</summary>
    Orphan,

    /// <summary>It leaves the best chain too far back.</summary>
    TooDeep,

    /// <summary>It breaks a rule.</summary>
    Refused,
}
