namespace Carrier.Core.Session.Recovery;

/// <summary>
/// CUBIC: RFC 9438, over the recovery period of RFC 9002 §7.3, its first slow start ended by <see cref="HyStart"/>. Windows are kept in bytes; the
/// equations are the RFC's, which counts in segments of <see cref="CongestionController.MaxDatagramBytes"/>.
/// </summary>
public sealed class Cubic(RttEstimator rtt, int maxDatagramBytes) : CongestionController(rtt, maxDatagramBytes)
{
    /// <summary>β_cubic: what is left of the window after congestion (RFC 9438 §4.6).</summary>
    public const double Beta = 0.7;

    /// <summary>What is left after a mark of congestion: the queue was still short (ABE, RFC 8511 §3).</summary>
    public const double BetaEcn = 0.85;

    /// <summary>C: the aggressiveness, in segments a second cubed (RFC 9438 §5).</summary>
    public const double C = 0.4;

    // α_cubic, the growth of the Reno-friendly window until it reaches what it was at the last reduction (RFC 9438 §4.3).
    private const double RenoAlpha = 3 * (1 - Beta) / (1 + Beta);

    // A batch of up to one segmented send may be missing from a window that is nevertheless in full use.
    private const int LimitSlackBytes = 65_536;

    private static readonly Instant LongAgo = new(long.MinValue);

    private readonly HyStart _hyStart = new();
    private SlowStartLimit? _limit = new(); // until the first slow start has ended
    private Curve _curve = new()
    {
        Window = InitialWindow(maxDatagramBytes),
        SlowStartThreshold = double.PositiveInfinity,
        RecoveryStartedAt = LongAgo,
        EpochStartedAt = Instant.Never,
    };

    // What there was before the last reduction, to return to should every loss since turn out to be none (RFC 9438 §4.9.2).
    private Curve? _beforeReduction;
    private long _lostSinceReductionBytes;

    private Instant _idleSince = Instant.Never;

    public override long CongestionWindowBytes => (long)_curve.Window;

    public override bool InSlowStart => _curve.Window < _curve.SlowStartThreshold;

    public override void OnPacketSent(Instant now, int bytes, long bytesInFlight)
    {
        if (_idleSince != Instant.Never && _curve.EpochStartedAt != Instant.Never)
        {
            // Time without data in flight is no time in congestion avoidance (RFC 9438 §4.2, §5.8).
            _curve.EpochStartedAt += now - Instant.Max(_idleSince, _curve.EpochStartedAt);
        }

        _idleSince = Instant.Never;
        if (InFirstSlowStart)
        {
            _limit?.OnSent(now, bytes, bytesInFlight);
        }
    }

    public override void OnRttSample(Instant now, TimeSpan rtt)
    {
        if (InFirstSlowStart)
        {
            _hyStart.OnRttSample(rtt);
            _limit?.OnRttSample(Rtt.Smoothed);
        }
    }

    public override void OnAcked(Instant now, long ackedBytes, Instant newestSentAt, long bytesInFlightBefore)
    {
        if (InFirstSlowStart)
        {
            _limit?.OnAcked(now, ackedBytes, newestSentAt);
        }

        if (ackedBytes >= bytesInFlightBefore)
        {
            _idleSince = now;
        }

        // Nothing grows on packets from before the reduction, nor while something else than the window is the limit (RFC 9002 §7.8).
        if (newestSentAt <= _curve.RecoveryStartedAt || !IsWindowTheLimit(bytesInFlightBefore))
        {
            return;
        }

        if (InSlowStart)
        {
            GrowExponentially(now, ackedBytes, newestSentAt);
            return;
        }

        AvoidCongestion(now, ackedBytes);
    }

    public override void OnLost(Instant now, long lostBytes, Instant newestLostSentAt)
    {
        Reduce(now, newestLostSentAt, Beta, canBeUndone: true);
        _lostSinceReductionBytes += lostBytes;
    }

    public override void OnEcn(Instant now, Instant newestSentAt) => Reduce(now, newestSentAt, BetaEcn, canBeUndone: false);

    public override void OnSpuriousLoss(Instant now, long arrivedBytes)
    {
        _lostSinceReductionBytes -= arrivedBytes;
        if (_lostSinceReductionBytes <= 0 && _beforeReduction is { } before)
        {
            _beforeReduction = null;
            double grown = _curve.Window;
            _curve = before;
            _curve.Window = Math.Max(before.Window, grown);
        }
    }

    public override void OnPersistentCongestion(Instant now)
    {
        // As a retransmission timeout: RFC 9438 §4.8, RFC 9002 §7.6.2.
        _curve.Window = MinWindowBytes;
        _curve.RecoveryStartedAt = LongAgo;
        _curve.MaxWindow = 0;
        _curve.EpochStartedAt = Instant.Never;
        _beforeReduction = null;
    }

    private bool InFirstSlowStart => double.IsPositiveInfinity(_curve.SlowStartThreshold);

    // A paced sender in slow start has half a window in flight when the round begins: the rule Linux has for it.
    private bool IsWindowTheLimit(long bytesInFlight) => InSlowStart
        ? 2 * bytesInFlight >= _curve.Window
        : bytesInFlight >= _curve.Window - Math.Min(LimitSlackBytes, _curve.Window / 2);

    private void GrowExponentially(Instant now, long ackedBytes, Instant newestSentAt)
    {
        double growth = ackedBytes;
        if (InFirstSlowStart)
        {
            bool hasEnded = _hyStart.OnAcked(now, newestSentAt);
            growth = Math.Min(growth / _hyStart.GrowthDivisor, Math.Max(0, (_limit?.MostBytes ?? double.PositiveInfinity) - _curve.Window));
            if (hasEnded || _limit?.IsFull(_curve.Window, _hyStart.RoundEnded) == true)
            {
                _curve.SlowStartThreshold = _curve.Window;
                _limit = null;
                return;
            }
        }

        _curve.Window = Math.Min(_curve.Window + growth, Math.Max(_curve.SlowStartThreshold, _curve.Window));
    }

    private void Reduce(Instant now, Instant newestSentAt, double beta, bool canBeUndone)
    {
        if (newestSentAt <= _curve.RecoveryStartedAt)
        {
            return;
        }

        _beforeReduction = canBeUndone ? _curve : null;
        _lostSinceReductionBytes = 0;
        _curve.RecoveryStartedAt = now;
        _curve.EpochStartedAt = Instant.Never;
        _curve.PriorWindow = _curve.Window;

        // Fast convergence (RFC 9438 §4.7): a flow that is shrinking gives way to newcomers.
        _curve.MaxWindow = _curve.Window < _curve.MaxWindow ? _curve.Window * (1 + Beta) / 2 : _curve.Window;
        _curve.SlowStartThreshold = Math.Max(_curve.Window * beta, MinWindowBytes);
        _curve.Window = _curve.SlowStartThreshold;
    }

    private void AvoidCongestion(Instant now, long ackedBytes)
    {
        double segment = MaxDatagramBytes;
        if (_curve.EpochStartedAt == Instant.Never)
        {
            BeginEpoch(now, segment);
        }

        double elapsed = (now - _curve.EpochStartedAt).TotalSeconds;
        double target = _curve.At(elapsed + Rtt.Smoothed.TotalSeconds, segment);
        target = Math.Clamp(target, _curve.Window, 1.5 * _curve.Window);

        double alpha = _curve.RenoWindow < _curve.PriorWindow ? RenoAlpha : 1;
        _curve.RenoWindow += alpha * segment * ackedBytes / _curve.Window;
        if (_curve.At(elapsed, segment) < _curve.RenoWindow)
        {
            _curve.Window = Math.Max(_curve.Window, _curve.RenoWindow);
        }
        else
        {
            // A batch acknowledges many segments: each brings the window 1/cwnd nearer, and together never past the target.
            _curve.Window += (target - _curve.Window) * Math.Min(1, ackedBytes / _curve.Window);
        }
    }

    private void BeginEpoch(Instant now, double segment)
    {
        _curve.EpochStartedAt = now;
        _curve.RenoWindow = _curve.Window;
        if (_curve.MaxWindow <= _curve.Window)
        {
            // Slow start ended without a loss, or the window has outgrown its old maximum: the curve starts at its plateau.
            _curve.MaxWindow = _curve.Window;
            _curve.K = 0;
        }
        else
        {
            _curve.K = Math.Cbrt((_curve.MaxWindow - _curve.Window) / segment / C);
        }
    }

    /// <summary>The window and the curve it follows; a reduction that is undone brings it back whole. Windows in bytes, K in seconds.</summary>
    private record struct Curve
    {
        public double Window;
        public double SlowStartThreshold;
        public Instant RecoveryStartedAt;

        // The epoch: the current stretch of congestion avoidance; Never between two.
        public Instant EpochStartedAt;
        public double MaxWindow;
        public double PriorWindow;
        public double RenoWindow;
        public double K;

        // W_cubic(t) = C (t - K)^3 + W_max, RFC 9438 Figure 1.
        public readonly double At(double seconds, double segment)
        {
            double fromPlateau = seconds - K;
            return (C * fromPlateau * fromPlateau * fromPlateau * segment) + MaxWindow;
        }
    }
}
