namespace Carrier.Core;

/// <summary>How fast tokens come back and how many may be spent at once. A token is whatever the owner counts: a packet, a byte, a call.</summary>
/// <param name="PerSecond">The sustained rate, above zero.</param>
/// <param name="Burst">The most that can be spent in one instant after a rest.</param>
public readonly record struct TokenRate(double PerSecond, double Burst)
{
    /// <summary>A rate nothing here can reach.</summary>
    public static TokenRate Unlimited => new(1e15, 1e15);

    internal long NanosecondsFor(double tokens) => (long)(tokens * 1e9 / PerSecond);
}

/// <summary>A token bucket kept as one number: the instant at which it will be full again (the generic cell rate algorithm, ITU-T I.371 annex A).</summary>
/// <remarks>The rate is the owner's, so that a table of buckets costs eight bytes each. A default bucket is full.</remarks>
public struct TokenBucket
{
    private Instant _fullAt;

    /// <summary>Whether <paramref name="cost"/> tokens could be spent now, leaving <paramref name="reserve"/> behind.</summary>
    public readonly bool CanSpend(Instant now, in TokenRate rate, double cost, double reserve = 0)
    {
        long owed = Math.Max(0, _fullAt.Nanoseconds - now.Nanoseconds);
        return owed <= rate.NanosecondsFor(rate.Burst - cost - reserve);
    }

    /// <summary>Spends without asking; the caller has asked <see cref="CanSpend"/> of every bucket concerned.</summary>
    public void Spend(Instant now, in TokenRate rate, double cost) =>
        _fullAt = new(Math.Max(_fullAt.Nanoseconds, now.Nanoseconds) + rate.NanosecondsFor(cost));

    /// <summary>Gives back what was spent for something that turned out well; never more than a full bucket.</summary>
    public void Return(in TokenRate rate, double cost = 1) => _fullAt = new(Math.Max(0, _fullAt.Nanoseconds - rate.NanosecondsFor(cost)));

    public bool TrySpend(Instant now, in TokenRate rate, double cost = 1)
    {
        bool can = CanSpend(now, rate, cost);
        if (can)
        {
            Spend(now, rate, cost);
        }

        return can;
    }
}
