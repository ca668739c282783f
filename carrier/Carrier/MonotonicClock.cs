using System.Diagnostics;
using Carrier.Core;

namespace Carrier;

/// <summary>The clock every machine of this process is told the time by: monotonic, counted from when the process first asked.</summary>
internal static class MonotonicClock
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    private static readonly long Origin = Stopwatch.GetTimestamp();

    public static Instant Now => new(ToNanoseconds(Stopwatch.GetTimestamp() - Origin));

    // In two parts, because a whole product would overflow after 15 minutes of a 10 MHz counter.
    private static long ToNanoseconds(long ticks) =>
        Stopwatch.Frequency == NanosecondsPerSecond
            ? ticks
            : (ticks / Stopwatch.Frequency * NanosecondsPerSecond) + (ticks % Stopwatch.Frequency * NanosecondsPerSecond / Stopwatch.Frequency);
}
