namespace Carrier.Core.Session.Recovery;

/// <summary>
/// Congestion control by a model of the path, after BBRv2 (Cardwell et al. 2019, draft-ietf-ccwg-bbr): the largest delivery rate and the smallest round
/// trip give what to have in flight; short probes look for more of either. Loss is no signal by itself, so a path that loses at random stays fast.
/// </summary>
/// <remarks>
/// Where it differs from the draft: excessive loss lowers the model at 2 % only if the round trip shows a queue, and at 15 % in any case; the
/// accounting is by round, since reports come by batch.
/// </remarks>
public sealed class Bbr(RttEstimator rtt, int maxDatagramBytes) : CongestionController(rtt, maxDatagramBytes)
{
    private const double StartupPacingGain = 2.77; // 4 ln 2
    private const double StartupWindowGain = 2;
    private const double DrainPacingGain = 0.5;
    private const double DownPacingGain = 0.9;
    private const double UpPacingGain = 1.25;
    private const double UpWindowGain = 2.25;
    private const double WindowGain = 2;

    // A little below the model, so that a queue drains by itself.
    private const double PacingMargin = 0.99;

    private const double Beta = 0.7;
    private const double Headroom = 0.85;
    private const double LossThresholdWithQueue = 0.02;
    private const double LossThreshold = 0.15;

    /// <summary>Fewer lost packets than this in a round prove nothing.</summary>
    private const int LossesNeeded = 6;

    private const int SamplesNeeded = 8;
    private const int FullBandwidthRounds = 3;
    private const double FullBandwidthGrowth = 1.25;
    private const int MinPipeDatagrams = 4;

    // What may be sent at once, and a little for acknowledgements that come in lumps.
    private const int AggregationDatagrams = 30;

    // As often as a Reno flow of the same window probes (draft §5.3.3.3), and after 2 to 3 s on longer paths.
    private const int MaxCruiseRounds = 63;

    private static readonly TimeSpan MinRttLifetime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ProbeRttInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ProbeRttDuration = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan ShortestCruise = TimeSpan.FromSeconds(2);

    private readonly DeliveryRate _delivery = new();
    private BbrState _state = BbrState.Startup;
    private long _window = InitialWindow(maxDatagramBytes);
    private double _pacingRate;

    // The model.
    private WindowedMax _bandwidth;
    private TimeSpan _minRtt = TimeSpan.MaxValue;
    private Instant _minRttAt;
    private double _longTermInFlight = double.PositiveInfinity;
    private double _shortTermInFlight = double.PositiveInfinity;
    private double _shortTermBandwidth = double.PositiveInfinity;

    // The round.
    private long _roundEndsAtBytes;
    private long _roundDelivered;
    private long _roundLost;
    private long _roundLostWithQueue;
    private double _roundBandwidth;
    private bool _roundIsJudged;
    private int _roundSamples;
    private TimeSpan _roundMinRtt = TimeSpan.MaxValue;
    private TimeSpan _lastRoundMinRtt = TimeSpan.MaxValue;

    // Startup's search for full bandwidth.
    private double _fullBandwidth;
    private int _roundsWithoutGrowth;

    // The cycle.
    private Instant _phaseStartedAt;
    private int _roundsInPhase;
    private Instant _probeRttDoneAt = Instant.Never;
    private long _inFlight;

    private enum BbrState
    {
        Startup,
        Drain,
        Down,
        Cruise,
        Refill,
        Up,
        ProbeRtt,
    }

    public override long CongestionWindowBytes => _window;

    public override bool InSlowStart => _state == BbrState.Startup;

    public override double PacingRateBytesPerSecond => _pacingRate > 0 ? _pacingRate : base.PacingRateBytesPerSecond;

    private double Bandwidth => Math.Min(_bandwidth.Value, _shortTermBandwidth);

    private double MinRttSeconds => _minRtt == TimeSpan.MaxValue ? Rtt.Smoothed.TotalSeconds : Math.Max(_minRtt.TotalSeconds, 1e-6);

    private double PipeBytes => Bandwidth * MinRttSeconds;

    private double MinPipeBytes => MinPipeDatagrams * (double)MaxDatagramBytes;

    // A whole round's smallest sample: single ones are late for many reasons, a queue delays all.
    private bool HasQueue
    {
        get
        {
            TimeSpan smallest = _roundSamples >= SamplesNeeded ? _roundMinRtt : _lastRoundMinRtt;
            return smallest != TimeSpan.MaxValue && smallest > _minRtt * 17 / 16;
        }
    }

    public override void OnPacketSent(Instant now, int bytes, long bytesInFlight) => _delivery.OnSent(now, bytes, bytesInFlight);

    public override void OnAppLimited(long bytesInFlight) => _delivery.OnAppLimited(bytesInFlight);

    public override void OnRttSample(Instant now, TimeSpan rtt)
    {
        _roundSamples++;
        _roundMinRtt = rtt < _roundMinRtt ? rtt : _roundMinRtt;
        if (rtt < _minRtt || now - _minRttAt > MinRttLifetime)
        {
            (_minRtt, _minRttAt) = (rtt, now);
        }
        else if (rtt <= _minRtt * 33 / 32)
        {
            _minRttAt = now; // as good as the smallest: the queue was empty, and no probe has to empty it
        }
    }

    public override void OnAcked(Instant now, long ackedBytes, Instant newestSentAt, long bytesInFlightBefore)
    {
        RateSample sample = _delivery.OnAcked(now, ackedBytes, newestSentAt);
        _inFlight = Math.Max(0, bytesInFlightBefore - ackedBytes);
        _roundDelivered += ackedBytes;
        _roundBandwidth = Math.Max(_roundBandwidth, sample.BytesPerSecond);
        if (!sample.IsAppLimited || sample.BytesPerSecond > _bandwidth.Value)
        {
            _bandwidth.Add(sample.BytesPerSecond);
        }

        bool roundEnded = sample.PriorDeliveredBytes >= _roundEndsAtBytes;
        if (roundEnded)
        {
            _roundEndsAtBytes = _delivery.DeliveredBytes;
            _roundsInPhase++;
            OnRoundEnd(now, sample.IsAppLimited);
        }

        Advance(now, roundEnded);
        SetWindow(ackedBytes);
        double rate = PacingGain() * PacingMargin * Bandwidth;
        if (rate > 0 && (_state != BbrState.Startup || rate > _pacingRate))
        {
            _pacingRate = rate;
        }
    }

    public override void OnLost(Instant now, long lostBytes, Instant newestLostSentAt)
    {
        _roundLost += lostBytes;
        _roundLostWithQueue += HasQueue ? lostBytes : 0;
        if (_roundIsJudged || !IsLossExcessive())
        {
            return;
        }

        _roundIsJudged = true;
        OnExcessiveLoss(now);
    }

    public override void OnSpuriousLoss(Instant now, long arrivedBytes)
    {
        _roundLost = Math.Max(0, _roundLost - arrivedBytes);
        _roundLostWithQueue = Math.Max(0, _roundLostWithQueue - arrivedBytes);
    }

    public override void OnEcn(Instant now, Instant newestSentAt)
    {
        if (!_roundIsJudged)
        {
            _roundIsJudged = true;
            OnExcessiveLoss(now);
        }
    }

    public override void OnPersistentCongestion(Instant now) => _window = (long)MinPipeBytes;

    private double PacingGain() => _state switch
    {
        BbrState.Startup => StartupPacingGain,
        BbrState.Drain => DrainPacingGain,
        BbrState.Down => DownPacingGain,
        BbrState.Up => UpPacingGain,
        _ => 1,
    };

    private bool IsLossExcessive()
    {
        double sent = _roundDelivered + _roundLost + (_inFlight / 2.0);
        return _roundLost >= LossesNeeded * (long)MaxDatagramBytes
            && (_roundLostWithQueue > LossThresholdWithQueue * sent || _roundLost > LossThreshold * sent);
    }

    private void OnExcessiveLoss(Instant now)
    {
        if (_state == BbrState.Startup)
        {
            _longTermInFlight = Math.Max(PipeBytes, _roundDelivered);
            Enter(BbrState.Drain, now);
        }
        else if (_state is BbrState.Up or BbrState.Refill)
        {
            // Too much: what is safe is what got through, never less than the draft's beta of what we aimed at.
            _longTermInFlight = Math.Max(_inFlight, Beta * Math.Max(PipeBytes, MinPipeBytes));
            Enter(BbrState.Down, now);
        }
        else
        {
            _shortTermBandwidth = Math.Max(_roundBandwidth, Beta * Math.Min(_shortTermBandwidth, _bandwidth.Value));
            _shortTermInFlight = Math.Max(_roundDelivered, Beta * Math.Min(_shortTermInFlight, _window));
        }
    }

    private void OnRoundEnd(Instant now, bool isAppLimited)
    {
        if (_state == BbrState.Startup && !isAppLimited)
        {
            if (_bandwidth.Value >= _fullBandwidth * FullBandwidthGrowth)
            {
                (_fullBandwidth, _roundsWithoutGrowth) = (_bandwidth.Value, 0);
            }
            else if (++_roundsWithoutGrowth >= FullBandwidthRounds)
            {
                Enter(BbrState.Drain, now);
            }
        }
        else if (_state == BbrState.Up && _inFlight >= _longTermInFlight * Headroom)
        {
            // The long-term bound held without harm: raise it, faster each round (draft §5.3.3.6).
            _longTermInFlight += MaxDatagramBytes * (double)(1 << Math.Min(_roundsInPhase, 10));
        }

        (_roundDelivered, _roundLost, _roundLostWithQueue, _roundBandwidth, _roundIsJudged) = (0, 0, 0, 0, false);
        (_lastRoundMinRtt, _roundMinRtt, _roundSamples) = (_roundMinRtt, TimeSpan.MaxValue, 0);
    }

    private void Advance(Instant now, bool roundEnded)
    {
        TimeSpan inPhase = now - _phaseStartedAt;
        switch (_state)
        {
            case BbrState.Drain when _inFlight <= PipeBytes:
                Enter(BbrState.Down, now);
                break;
            case BbrState.Down when _inFlight <= Math.Min(PipeBytes, Headroom * _longTermInFlight):
                Enter(BbrState.Cruise, now);
                break;
            case BbrState.Cruise or BbrState.Down when _roundsInPhase >= CruiseRounds() || inPhase > CruiseTime():
                _shortTermBandwidth = _shortTermInFlight = double.PositiveInfinity;
                Enter(BbrState.Refill, now);
                break;
            case BbrState.Refill when roundEnded && _roundsInPhase > 1:
                Enter(BbrState.Up, now);
                break;
            case BbrState.Up when inPhase > _minRtt && _inFlight >= UpPacingGain * PipeBytes:
            case BbrState.Up when _roundsInPhase > 4 && _inFlight >= _longTermInFlight:
                _bandwidth.NextPeriod();
                Enter(BbrState.Down, now);
                break;
            case BbrState.ProbeRtt:
                ProbeRtt(now, roundEnded);
                break;
            default:
                break;
        }

        if (_state is not (BbrState.ProbeRtt or BbrState.Startup) && now - _minRttAt > ProbeRttInterval)
        {
            _probeRttDoneAt = Instant.Never;
            Enter(BbrState.ProbeRtt, now);
        }
    }

    private void ProbeRtt(Instant now, bool roundEnded)
    {
        if (_probeRttDoneAt == Instant.Never && _inFlight <= ProbeRttBytes())
        {
            _probeRttDoneAt = now + ProbeRttDuration;
            _roundsInPhase = 0;
            _minRtt = Rtt.Latest; // the old one has not been seen for seconds
        }
        else if (now >= _probeRttDoneAt && roundEnded && _roundsInPhase > 0)
        {
            _minRttAt = now;
            _shortTermBandwidth = _shortTermInFlight = double.PositiveInfinity;
            Enter(BbrState.Cruise, now);
        }
    }

    private void Enter(BbrState state, Instant now)
    {
        _state = state;
        _phaseStartedAt = now;
        _roundsInPhase = 0;
    }

    private double ProbeRttBytes() => Math.Max(PipeBytes / 2, MinPipeBytes);

    private double CruiseRounds() => Math.Min(MaxCruiseRounds, PipeBytes / MaxDatagramBytes);

    // Two to three seconds; the fraction is the clock's, so that flows that began together do not probe together.
    private TimeSpan CruiseTime() => ShortestCruise + TimeSpan.FromMicroseconds(_phaseStartedAt.Nanoseconds / 1_000 % 1_000_000);

    private void SetWindow(long ackedBytes)
    {
        double gain = _state switch { BbrState.Startup => StartupWindowGain, BbrState.Up => UpWindowGain, _ => WindowGain };
        double most = (gain * PipeBytes) + (AggregationDatagrams * (double)MaxDatagramBytes);
        double window = _state == BbrState.Startup ? Math.Max(_window, Math.Min(_window + ackedBytes, double.MaxValue)) : Math.Min(_window + ackedBytes, most);
        double bound = _state switch
        {
            BbrState.ProbeRtt => ProbeRttBytes(),
            BbrState.Cruise or BbrState.Down => Math.Min(Headroom * _longTermInFlight, _shortTermInFlight),
            _ => _longTermInFlight,
        };
        _window = (long)Math.Max(Math.Min(window, bound), MinPipeBytes);
    }
}
