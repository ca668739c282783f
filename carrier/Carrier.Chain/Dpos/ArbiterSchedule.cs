using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Dpos;

/// <summary>Which arbiters decide which height: a trusted first set, and each next one announced by a transaction proved to be in a block.</summary>
/// <remarks>
/// A set is known for a height when every announcement since the first set was followed. A thin client cannot prove that it missed none, so
/// <see cref="FollowTo"/> marks how far it has scanned, and beyond it nobody is in office here.
/// </remarks>
public sealed class ArbiterSchedule
{
    /// <summary>Sets kept; confirms are judged near the tip.</summary>
    public const int MaxSets = 64;

    private readonly List<ArbiterSet> _sets = [];

    public ArbiterSchedule(ArbiterSet trusted)
    {
        ArgumentNullException.ThrowIfNull(trusted);
        _sets.Add(trusted);
        KnownTo = trusted.From;
    }

    /// <summary>The last height whose arbiters are known.</summary>
    public uint KnownTo { get; private set; }

    /// <summary>Takes an announcement in block <paramref name="header"/> (on the best chain), proved by its branch.</summary>
    public bool TryAnnounce(Transaction announcement, MerkleBranch branch, BlockHeader header)
    {
        ArgumentNullException.ThrowIfNull(announcement);
        ArgumentNullException.ThrowIfNull(branch);
        if (!branch.Proves(announcement.Id, header.MerkleRoot) || !ArbiterSet.TryRead(announcement, out ArbiterSet? next) || next!.From < header.Height)
        {
            return false;
        }

        _sets.RemoveAll(set => set.From >= next.From && _sets.Count > 1); // a later announcement for the same height replaces the earlier one
        _sets.Add(next);
        if (_sets.Count > MaxSets)
        {
            _sets.RemoveAt(0);
        }

        return true;
    }

    /// <summary>Says that every block up to <paramref name="height"/> was looked through for announcements.</summary>
    public void FollowTo(uint height) => KnownTo = Math.Max(KnownTo, height);

    /// <summary>Who decides a height; false when it is not known.</summary>
    public bool TryGet(uint height, out ArbiterSet? arbiters)
    {
        arbiters = height > KnownTo ? null : _sets.LastOrDefault(set => set.From <= height);
        return arbiters is not null;
    }
}
