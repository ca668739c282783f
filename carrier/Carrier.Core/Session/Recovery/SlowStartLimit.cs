namespace Carrier.Core.Session.Recovery;

/// <summary>
/// How far slow start may double: to twice what a round trip delivers, measured. While the pipe fills, the window is just that; once it is full, more would
/// only wait in the queue until that overflows, and HyStart++ learns of a queue two round trips late. The same observation ends slow start in SEARCH
/// (draft-chung-ccwg-search).
/// </summary>
internal sealed class SlowStartLimit
{
    /// <summary>Round-trip samples before the queue has begun, of which the mean is taken: jitter belongs to the path, a queue does not.</summary>
    private const int BaselineSamples = 16;

    // Twice, and an eighth for samples that are a little off.
    private const double Gain = 2.25;

    private readonly DeliveryRate _delivery = new();
    private double _bestRate;
    private TimeSpan _baselineRtt;
    private int _samples;
    private bool _heldBackAllRound;

    /// <summary>The largest window that makes sense; infinite while nothing is known.</summary>
    public double MostBytes => _samples < BaselineSamples || _bestRate == 0 ? double.PositiveInfinity : Gain * _bestRate * _baselineRtt.TotalSeconds;

    public void OnSent(Instant now, int bytes, long bytesInFlight) => _delivery.OnSent(now, bytes, bytesInFlight);

    public void OnRttSample(TimeSpan smoothedRtt)
    {
        if (_samples < BaselineSamples)
        {
            _samples++;
            _baselineRtt = smoothedRtt;
        }
    }

    public void OnAcked(Instant now, long ackedBytes, Instant newestSentAt) =>
        _bestRate = Math.Max(_bestRate, _delivery.OnAcked(now, ackedBytes, newestSentAt).BytesPerSecond);

    /// <summary>Whether the pipe is full: the limit held the window back from one end of a round to the next.</summary>
    public bool IsFull(double window, bool roundEnded)
    {
        bool heldBack = window >= MostBytes;
        bool full = heldBack && _heldBackAllRound && roundEnded;
        _heldBackAllRound = heldBack && (_heldBackAllRound || roundEnded);
        return full;
    }
}
