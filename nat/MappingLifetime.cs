namespace Carrier.Nat;

/// <summary>Learns how long a NAT keeps a mapping through which nothing leaves, and from that how often one must be kept alive. Pure; its owner tries the silences.</summary>
/// <remarks>
/// A binary search with one mapping at a time: each is kept alive every <see cref="Shortest"/> until one has outlived a longer silence, and never less often
/// than every <see cref="Longest"/>, so that a home's death or a changed address shows within half a minute.
/// A silence must be <see cref="Margin"/> times the interval it allows: intervals are drawn a tenth longer at times, and a NAT's clock is coarse.
/// </remarks>
public sealed class MappingLifetime
{
    private TimeSpan _survived = Shortest * Margin;
    private TimeSpan _lost = TimeSpan.MaxValue;

    /// <summary>Between keepalives while nothing is known: NATs that forget within 20 s exist, though RFC 4787 §4.3 asks for two minutes.</summary>
    public static TimeSpan Shortest => TimeSpan.FromSeconds(15);

    public static TimeSpan Longest => TimeSpan.FromSeconds(25);

    public static double Margin => 1.2;

    /// <summary>The search ends when the answer is known this well.</summary>
    public static TimeSpan Precision => TimeSpan.FromSeconds(3);

    /// <summary>How often a mapping is to be kept alive, before jitter of at most a tenth.</summary>
    public TimeSpan Interval { get; private set; } = Shortest;

    /// <summary>The silence to try next on a mapping that can be spared for so long; zero when enough is known.</summary>
    public TimeSpan NextSilence
    {
        get
        {
            TimeSpan longest = Longest * Margin;
            return _lost == TimeSpan.MaxValue && _survived < longest ? longest
                : _lost - _survived > Precision && _survived < longest ? (_survived + _lost) / 2
                : TimeSpan.Zero;
        }
    }

    /// <summary>A mapping let something in after this silence.</summary>
    public void Survived(TimeSpan silence)
    {
        _survived = silence > _survived ? silence : _survived;
        TimeSpan allowed = _survived / Margin;
        Interval = allowed < Longest ? allowed : Longest;
    }

    /// <summary>A mapping let nothing in after this silence.</summary>
    public void Lost(TimeSpan silence) => _lost = silence < _lost ? silence : _lost;

    /// <summary>The mapping that matters was lost, or is another NAT's now: what was learnt is not true any more.</summary>
    public void Forget() => (_survived, _lost, Interval) = (Shortest * Margin, TimeSpan.MaxValue, Shortest);
}
