namespace Carrier.Core.Session.Recovery;

/// <summary>The round-trip time of one path: RFC 9002 §5. One instance a path, since a new path starts afresh (RFC 9000 §9.4).</summary>
public sealed class RttEstimator
{
    private static readonly TimeSpan Zero = TimeSpan.Zero;

    private readonly TimeSpan _maxAckDelay;
    private bool _minForgotten;

    /// <param name="maxAckDelay">The longest the peer said it delays an ACK (RFC 9000 §18.2).</param>
    public RttEstimator(TimeSpan maxAckDelay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxAckDelay, Zero);
        _maxAckDelay = maxAckDelay;
        SetProbeTimeout();
    }

    /// <summary>Assumed before the first sample: RFC 9002 §6.2.2.</summary>
    public static TimeSpan InitialRtt => TimeSpan.FromMilliseconds(333);

    /// <summary>The finest timer assumed: kGranularity, RFC 9002 §6.1.2.</summary>
    public static TimeSpan Granularity => TimeSpan.FromMilliseconds(1);

    public bool HasSample { get; private set; }

    public TimeSpan Latest { get; private set; } = InitialRtt;

    public TimeSpan Smoothed { get; private set; } = InitialRtt;

    /// <summary>The mean deviation, <c>rttvar</c>.</summary>
    public TimeSpan Variation { get; private set; } = InitialRtt / 2;

    public TimeSpan Min { get; private set; } = InitialRtt;

    /// <summary>The probe timeout before backoff: smoothed + max(4 × rttvar, granularity) + max_ack_delay (RFC 9002 §6.2.1).</summary>
    public TimeSpan ProbeTimeout { get; private set; }

    /// <summary>After persistent congestion the path may be another one: <see cref="Min"/> restarts at the next sample (RFC 9002 §5.2).</summary>
    public void ForgetMin() => _minForgotten = true;

    /// <summary>
    /// One sample: the time from sending the largest newly acknowledged packet to its ACK. <paramref name="ackDelay"/> is what the
    /// peer says it waited; it is capped by its own promise, and never believed where it would take the sample below <see cref="Min"/>.
    /// </summary>
    public void Sample(TimeSpan latest, TimeSpan ackDelay)
    {
        Latest = Larger(latest, Zero);
        if (!HasSample)
        {
            HasSample = true;
            Min = Latest;
            Smoothed = Latest;
            Variation = Latest / 2;
            SetProbeTimeout();
            return;
        }

        Min = _minForgotten ? Latest : Smaller(Min, Latest);
        _minForgotten = false;
        TimeSpan delay = Smaller(Larger(ackDelay, Zero), _maxAckDelay);
        TimeSpan adjusted = Latest >= Min + delay ? Latest - delay : Latest;
        Variation = new TimeSpan(((3 * Variation.Ticks) + (Smoothed - adjusted).Duration().Ticks) / 4);
        Smoothed = new TimeSpan(((7 * Smoothed.Ticks) + adjusted.Ticks) / 8);
        SetProbeTimeout();
    }

    // Every packet asks for it, only a sample changes it.
    private void SetProbeTimeout() => ProbeTimeout = Smoothed + Larger(new TimeSpan(4 * Variation.Ticks), Granularity) + _maxAckDelay;

    private static TimeSpan Larger(TimeSpan left, TimeSpan right) => left > right ? left : right;

    private static TimeSpan Smaller(TimeSpan left, TimeSpan right) => left < right ? left : right;
}
