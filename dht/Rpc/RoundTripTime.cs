namespace Carrier.Dht.Rpc;

/// <summary>Smoothed round-trip time and its variation (RFC 6298 §2), from which the adaptive timeout of a call comes.</summary>
internal struct RoundTripTime
{
    /// <summary>A timeout below this would fire on ordinary jitter.</summary>
    public static readonly TimeSpan MinTimeout = TimeSpan.FromMilliseconds(80);

    public static readonly TimeSpan MaxTimeout = TimeSpan.FromSeconds(1.5);

    private TimeSpan _smoothed;
    private TimeSpan _variation;
    private int _backoff;

    public readonly bool HasSample => _smoothed > TimeSpan.Zero;

    /// <summary>smoothed + 4 × variation, doubled for each loss since the last sample, within the bounds above.</summary>
    public readonly TimeSpan Timeout
    {
        get
        {
            TimeSpan timeout = (_smoothed + (_variation * 4)) * (1 << _backoff);
            return timeout < MinTimeout ? MinTimeout : timeout > MaxTimeout ? MaxTimeout : timeout;
        }
    }

    public static RoundTripTime Assume(TimeSpan roundTrip) => new() { _smoothed = roundTrip, _variation = roundTrip / 2 };

    public void Sample(TimeSpan roundTrip)
    {
        _backoff = 0;
        if (!HasSample)
        {
            this = Assume(roundTrip);
            return;
        }

        _variation = ((_variation * 3) + (_smoothed - roundTrip).Duration()) / 4;
        _smoothed = ((_smoothed * 7) + roundTrip) / 8;
    }

    public void BackOff() => _backoff = Math.Min(_backoff + 1, 4);
}
