using Carrier.Core;

namespace Carrier.Nat;

/// <summary>A validated path and its smoothed round-trip time.</summary>
public readonly record struct PathQuality(NetworkPath Path, TimeSpan SmoothedRtt);

/// <summary>Which of two validated paths a session should use.</summary>
public static class PathPreference
{
    /// <summary>Differences in round-trip time below this are noise.</summary>
    public static TimeSpan LeastGain => TimeSpan.FromMilliseconds(4);

    /// <summary>Whether to leave <paramref name="current"/> for <paramref name="challenger"/>.</summary>
    /// <remarks>
    /// A direct path beats a relayed one, whatever the time: it costs nobody else. Among equals a clearly shorter time wins (a fifth of the longer,
    /// at least <see cref="LeastGain"/>); when the times are close, within half of that, the nearer kind wins: LAN, then IPv6, then IPv4.
    /// Between the two thresholds nothing moves, so a path is not left and taken again on noise.
    /// </remarks>
    public static bool ShouldSwitch(in PathQuality current, in PathQuality challenger)
    {
        if (current.Path.IsRelayed != challenger.Path.IsRelayed)
        {
            return current.Path.IsRelayed;
        }

        TimeSpan gain = current.SmoothedRtt - challenger.SmoothedRtt;
        TimeSpan longer = current.SmoothedRtt > challenger.SmoothedRtt ? current.SmoothedRtt : challenger.SmoothedRtt;
        TimeSpan margin = longer / 5 > LeastGain ? longer / 5 : LeastGain;
        return gain > margin || (gain >= -margin / 2 && Tier(challenger.Path) < Tier(current.Path));
    }

    private static int Tier(in NetworkPath path) => path.Remote.Scope != AddressScope.Global ? 0 : path.Remote.IsIPv4 ? 2 : 1;
}
