namespace Carrier.Core.Session.Recovery;

/// <summary>
/// CUBIC: RFC 9438, over the recovery period of RFC 9002 §7.3. Windows are kept in bytes; the equations are the RFC's, which counts in
/// segments of <see cref="CongestionController.MaxDatagramBytes"/>.
/// </summary>
public sealed class Cubic(RttEstimator rtt, int maxDatagramBytes) : CongestionController(rtt, maxDatagramBytes)
{
    /// <summary>β_cubic: what is left of the window after congestion (RFC 9438 §4.6).</summary>
    public const double Beta = 0.7;

    /// <summary>C: the aggressiveness, in segments a second cubed (RFC 9438 §5).</summary>
    public const double C = 0.4;

    // α_cubic, the growth of the Reno-friendly window until it reaches what it was at the last reduction (RFC 9438 §4.3).
    private const double RenoAlpha = 3 * (1 - Beta) / (1 + Beta);

    // A batch of up to one segmented send may be missing from a window that is nevertheless in full use.
    private const int LimitSlackBytes = 65_536;

    private double _window = InitialWindow(maxDatagramBytes);
    private double _slowStartThreshold = double.PositiveInfinity;
    private Instant? _recoveryStartedAt;

    // The epoch: the current stretch of congestion avoidance. Windows in bytes, K in seconds.
    private Instant? _epochStartedAt;
    private double _maxWindow;
    private double _priorWindow;
    private double _renoWindow;
    private double _k;

    private Instant _idleSince = Instant.Never;

    public override long CongestionWindowBytes => (long)_window;

    public override bool InSlowStart => _window < _slowStartThreshold;

    public override void OnPacketSent(Instant now, int bytes, long bytesInFlight)
    {
        if (_idleSince != Instant.Never && _epochStartedAt is { } started)
        {
            // Time without data in flight is no time in congestion avoidance (RFC 9438 §4.2, §5.8).
            _epochStartedAt = started + (now - Instant.Max(_idleSince, started));
        }

        _idleSince = Instant.Never;
    }

    public override void OnAcked(Instant now, long ackedBytes, Instant newestSentAt, long bytesInFlightBefore)
    {
        if (ackedBytes >= bytesInFlightBefore)
        {
            _idleSince = now;
        }

        // Nothing grows on packets from before the reduction, nor while something else than the window is the limit (RFC 9002 §7.8).
        double slack = Math.Min(LimitSlackBytes, _window / 2);
        if (newestSentAt <= (_recoveryStartedAt ?? new Instant(long.MinValue)) || bytesInFlightBefore < _window - slack)
        {
            return;
        }

        if (InSlowStart)
        {
            _window = Math.Min(_window + ackedBytes, Math.Max(_slowStartThreshold, _window));
            return;
        }

        AvoidCongestion(now, ackedBytes);
    }

    public override void OnLost(Instant now, long lostBytes, Instant newestLostSentAt) => Reduce(now, newestLostSentAt);

    public override void OnEcn(Instant now, Instant newestSentAt) => Reduce(now, newestSentAt);

    public override void OnPersistentCongestion(Instant now)
    {
        // As a retransmission timeout: RFC 9438 §4.8, RFC 9002 §7.6.2.
        _window = MinWindowBytes;
        _recoveryStartedAt = null;
        _maxWindow = 0;
        _epochStartedAt = null;
    }

    private void Reduce(Instant now, Instant newestSentAt)
    {
        if (newestSentAt <= (_recoveryStartedAt ?? new Instant(long.MinValue)))
        {
            return;
        }

        _recoveryStartedAt = now;
        _epochStartedAt = null;
        _priorWindow = _window;

        // Fast convergence (RFC 9438 §4.7): a flow that is shrinking gives way to newcomers.
        _maxWindow = _window < _maxWindow ? _window * (1 + Beta) / 2 : _window;
        _slowStartThreshold = Math.Max(_window * Beta, MinWindowBytes);
        _window = _slowStartThreshold;
    }

    private void AvoidCongestion(Instant now, long ackedBytes)
    {
        double segment = MaxDatagramBytes;
        if (_epochStartedAt is null)
        {
            BeginEpoch(now, segment);
        }

        double elapsed = (now - _epochStartedAt!.Value).TotalSeconds;
        double target = CubicWindow(elapsed + Rtt.Smoothed.TotalSeconds, segment);
        target = Math.Clamp(target, _window, 1.5 * _window);

        double alpha = _renoWindow < _priorWindow ? RenoAlpha : 1;
        _renoWindow += alpha * segment * ackedBytes / _window;
        if (CubicWindow(elapsed, segment) < _renoWindow)
        {
            _window = Math.Max(_window, _renoWindow);
        }
        else
        {
            // A batch acknowledges many segments: each brings the window 1/cwnd nearer, and together never past the target.
            _window += (target - _window) * Math.Min(1, ackedBytes / _window);
        }
    }

    private void BeginEpoch(Instant now, double segment)
    {
        _epochStartedAt = now;
        _renoWindow = _window;
        if (_maxWindow <= _window)
        {
            // Slow start ended without a loss, or the window has outgrown its old maximum: the curve starts at its plateau.
            _maxWindow = _window;
            _k = 0;
        }
        else
        {
            _k = Math.Cbrt((_maxWindow - _window) / segment / C);
        }
    }

    // W_cubic(t) = C (t - K)^3 + W_max, RFC 9438 Figure 1.
    private double CubicWindow(double seconds, double segment)
    {
        double fromPlateau = seconds - _k;
        return (C * fromPlateau * fromPlateau * fromPlateau * segment) + _maxWindow;
    }
}
