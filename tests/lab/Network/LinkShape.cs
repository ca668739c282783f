using System.Globalization;

namespace Carrier.Lab.Network;

/// <summary>How every packet between two sites is treated on its way, one way. Rate is that of each site's uplink; zero is unlimited.</summary>
internal sealed record LinkShape(TimeSpan Delay, TimeSpan Jitter, double LossFraction, long RateBitsPerSecond)
{
    /// <summary>40 ms there and back between any two sites.</summary>
    public static readonly LinkShape Default = new(TimeSpan.FromMilliseconds(20), TimeSpan.Zero, 0, 0);

    public static LinkShape From(Arguments arguments) => new(
        TimeSpan.FromMilliseconds(arguments.Number("--delay-ms", Default.Delay.TotalMilliseconds)),
        TimeSpan.FromMilliseconds(arguments.Number("--jitter-ms", 0)),
        arguments.Number("--loss-percent", 0) / 100,
        (long)(arguments.Number("--rate-mbit", 0) * 1e6));

    /// <summary>The same as options, for the delay line's own process.</summary>
    public IEnumerable<string> ToOptions() =>
    [
        "--delay-ms", Text(Delay.TotalMilliseconds),
        "--jitter-ms", Text(Jitter.TotalMilliseconds),
        "--loss-percent", Text(LossFraction * 100),
        "--rate-mbit", Text(RateBitsPerSecond / 1e6),
    ];

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
