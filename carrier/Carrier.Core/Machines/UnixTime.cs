namespace Carrier.Core;

/// <summary>Wall-clock time, whole seconds since 1970-01-01 UTC. Only for what outlives a process: validity and expiry of signed things.</summary>
public readonly record struct UnixTime(long Seconds) : IComparable<UnixTime>
{
    public static UnixTime operator +(UnixTime left, TimeSpan right) => new(left.Seconds + (long)right.TotalSeconds);

    public static UnixTime operator -(UnixTime left, TimeSpan right) => new(left.Seconds - (long)right.TotalSeconds);

    public static TimeSpan operator -(UnixTime left, UnixTime right) => TimeSpan.FromSeconds(left.Seconds - right.Seconds);

    public static bool operator <(UnixTime left, UnixTime right) => left.Seconds < right.Seconds;

    public static bool operator >(UnixTime left, UnixTime right) => left.Seconds > right.Seconds;

    public static bool operator <=(UnixTime left, UnixTime right) => left.Seconds <= right.Seconds;

    public static bool operator >=(UnixTime left, UnixTime right) => left.Seconds >= right.Seconds;

    public static UnixTime Add(UnixTime left, TimeSpan right) => left + right;

    public static TimeSpan Subtract(UnixTime left, UnixTime right) => left - right;

    public int CompareTo(UnixTime other) => Seconds.CompareTo(other.Seconds);
}

/// <summary>Ties the monotonic clock to wall-clock time; the shell hands a machine a new one when the wall clock steps.</summary>
public readonly record struct WallClock(Instant Anchor, UnixTime AtAnchor)
{
    public UnixTime At(Instant now) => AtAnchor + (now - Anchor);
}
