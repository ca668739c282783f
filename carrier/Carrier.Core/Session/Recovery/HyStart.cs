namespace Carrier.Core.Session.Recovery;

/// <summary>
/// HyStart++ (RFC 9406): ends the first slow start when round trips grow, before the queue overflows. When the growth was noise, conservative slow
/// start finds out and goes back. Sending is paced, so L is unlimited (RFC 9406 §4.3).
/// </summary>
/// <remarks>A round ends when a packet sent after its beginning is acknowledged.</remarks>
public sealed class HyStart
{
    /// <summary>N_RTT_SAMPLE: samples a round must have before it is judged.</summary>
    public const int SamplesNeeded = 8;

    /// <summary>CSS_GROWTH_DIVISOR.</summary>
    public const int ConservativeGrowthDivisor = 4;

    /// <summary>CSS_ROUNDS: rounds of conservative slow start, after which slow start has ended.</summary>
    public const int ConservativeRounds = 5;

    private const int MinRttDivisor = 8;
    private static readonly TimeSpan MinRttThreshold = TimeSpan.FromMilliseconds(4);
    private static readonly TimeSpan MaxRttThreshold = TimeSpan.FromMilliseconds(16);
    private static readonly TimeSpan Unknown = TimeSpan.MaxValue;

    private TimeSpan _lastRoundMinRtt = Unknown;
    private TimeSpan _currentRoundMinRtt = Unknown;
    private TimeSpan _baselineMinRtt = Unknown;
    private Instant _roundStartedAt = new(long.MinValue);
    private int _samples;
    private int _conservativeRounds;

    /// <summary>The latest acknowledgement was the end of a round.</summary>
    public bool RoundEnded { get; private set; }

    public bool IsConservative => _baselineMinRtt != Unknown;

    /// <summary>What the window's growth is divided by.</summary>
    public int GrowthDivisor => IsConservative ? ConservativeGrowthDivisor : 1;

    /// <summary>One round-trip sample.</summary>
    public void OnRttSample(TimeSpan rtt)
    {
        _currentRoundMinRtt = rtt < _currentRoundMinRtt ? rtt : _currentRoundMinRtt;
        _samples++;
        if (_samples < SamplesNeeded)
        {
            return;
        }

        if (IsConservative)
        {
            // It was noise: on with slow start.
            _baselineMinRtt = _currentRoundMinRtt < _baselineMinRtt ? Unknown : _baselineMinRtt;
        }
        else if (_lastRoundMinRtt != Unknown && _currentRoundMinRtt >= _lastRoundMinRtt + Threshold(_lastRoundMinRtt))
        {
            _baselineMinRtt = _currentRoundMinRtt;
            _conservativeRounds = 0;
        }
    }

    /// <summary>An acknowledgement in slow start, its samples already told; true when slow start is to end.</summary>
    /// <param name="newestSentAt">When the newest packet it acknowledges was sent.</param>
    public bool OnAcked(Instant now, Instant newestSentAt)
    {
        RoundEnded = newestSentAt >= _roundStartedAt;
        if (!RoundEnded)
        {
            return false;
        }

        _roundStartedAt = now;
        _lastRoundMinRtt = _currentRoundMinRtt;
        _currentRoundMinRtt = Unknown;
        _samples = 0;
        return IsConservative && ++_conservativeRounds >= ConservativeRounds;
    }

    private static TimeSpan Threshold(TimeSpan lastRoundMinRtt)
    {
        TimeSpan eighth = lastRoundMinRtt / MinRttDivisor;
        return eighth < MinRttThreshold ? MinRttThreshold : eighth > MaxRttThreshold ? MaxRttThreshold : eighth;
    }
}
