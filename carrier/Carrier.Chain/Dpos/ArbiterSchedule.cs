using Carrier.Chain.Access;
using Carrier.Chain.Scanning;

namespace Carrier.Chain.Dpos;

/// <summary>Which arbiters decide which height: a trusted first set, and each next one announced by a transaction proved to be in a block.</summary>
/// <remarks>A set is known for a height when every block since the first set was looked through for announcements; beyond <see cref="ScannedTo"/> nobody is in office here.</remarks>
public sealed class ArbiterSchedule : IScanIndex
{
    /// <summary>Sets kept; confirms are judged near the tip.</summary>
    public const int MaxSets = 64;

    private readonly List<(uint Announced, ArbiterSet Set)> _sets = [];

    public ArbiterSchedule(ArbiterSet trusted)
    {
        ArgumentNullException.ThrowIfNull(trusted);
        _sets.Add((0, trusted));
        ScannedTo = trusted.From;
    }

    public uint ScannedTo { get; private set; }

    public bool Wants(ProvedTransaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return transaction.IsSound && TryReadNext(transaction, out _);
    }

    public void Apply(uint height, IReadOnlyList<ProvedTransaction> transactions)
    {
        ArgumentNullException.ThrowIfNull(transactions);
        foreach (ProvedTransaction announcement in transactions)
        {
            if (announcement.IsSound && TryReadNext(announcement, out ArbiterSet? next))
            {
                _sets.Add((announcement.Header.Height, next!));
            }
        }

        if (_sets.Count > MaxSets)
        {
            _sets.RemoveRange(0, _sets.Count - MaxSets);
        }

        ScannedTo = Math.Max(ScannedTo, height);
    }

    public void Rewind(uint height)
    {
        _sets.RemoveAll(entry => entry.Announced > height);
        ScannedTo = Math.Min(ScannedTo, height);
    }

    /// <summary>Who decides a height; false when it is not known. Of two announcements for the same height the later one counts.</summary>
    public bool TryGet(uint height, out ArbiterSet? arbiters)
    {
        arbiters = height > ScannedTo ? null
            : _sets.Select(entry => entry.Set).Where(set => set.From <= height).Aggregate((ArbiterSet?)null, (latest, set) => latest is null || set.From >= latest.From ? set : latest);
        return arbiters is not null;
    }

    /// <summary>Reads an announcement; one of a height that has passed announces nothing.</summary>
    private static bool TryReadNext(ProvedTransaction announcement, out ArbiterSet? next) =>
        ArbiterSet.TryRead(announcement.Transaction, out next) && next!.From >= announcement.Header.Height;
}
