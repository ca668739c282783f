namespace Carrier.Core;

/// <summary>A point on the monotonic clock, in nanoseconds since an origin the shell chose. Never wall-clock time: it does not step.</summary>
public readonly record struct Instant(long Nanoseconds) : IComparable<Instant>
{
    private const long NanosecondsPerTick = 100;

    public static Instant Zero => default;

    /// <summary>Later than every real instant: the deadline of something that never wakes.</summary>
    public static Instant Never => new(long.MaxValue);

    public static Instant operator +(Instant left, TimeSpan right) =>
        left.Nanoseconds == long.MaxValue ? left : new(left.Nanoseconds + (right.Ticks * NanosecondsPerTick));

    public static Instant operator -(Instant left, TimeSpan right) => new(left.Nanoseconds - (right.Ticks * NanosecondsPerTick));

    public static TimeSpan operator -(Instant left, Instant right) => new((left.Nanoseconds - right.Nanoseconds) / NanosecondsPerTick);

    public static bool operator <(Instant left, Instant right) => left.Nanoseconds < right.Nanoseconds;

    public static bool operator >(Instant left, Instant right) => left.Nanoseconds > right.Nanoseconds;

    public static bool operator <=(Instant left, Instant right) => left.Nanoseconds <= right.Nanoseconds;

    public static bool operator >=(Instant left, Instant right) => left.Nanoseconds >= right.Nanoseconds;

    public static Instant Min(Instant left, Instant right) => left < right ? left : right;

    public static Instant Max(Instant left, Instant right) => left > right ? left : right;

    public static Instant Add(Instant left, TimeSpan right) => left + right;

    public static TimeSpan Subtract(Instant left, Instant right) => left - right;

    public int CompareTo(Instant other) => Nanoseconds.CompareTo(other.Nanoseconds);

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Nanoseconds / 1e9:F6}s");
}
