namespace Carrier.Core;

/// <summary>Why something received was ignored. Bad input is counted here and nowhere else; it is never thrown.</summary>
public enum DropReason
{
    UnknownKind,
    Malformed,
    NotForUs,
    DecryptFailed,
    Replayed,
    UnknownSession,
    UnprovenAddress,
    RateLimited,
    Full,
    Unsolicited,
    Late,
    BadSignature,
    NotAuthorized,
    Expired,
    Revoked,
    StaleSequence,
    ScopeMismatch,
    UnknownTarget,
    OverBudget,
}

/// <summary>One counter a <see cref="DropReason"/>. Owned by one machine, read by the shell for its metrics.</summary>
public sealed class DropCounters
{
    private readonly long[] _counts = new long[Enum.GetValues<DropReason>().Length];

    public long this[DropReason reason] => Volatile.Read(ref _counts[(int)reason]);

    public void Count(DropReason reason) => _counts[(int)reason]++;

    public long Total()
    {
        long total = 0;
        foreach (long count in _counts)
        {
            total += count;
        }

        return total;
    }
}
