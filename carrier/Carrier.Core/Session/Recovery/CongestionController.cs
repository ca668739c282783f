namespace Carrier.Core.Session.Recovery;

/// <summary>
/// How much may be in flight on one path, and how fast: chosen once a session, one instance a path. Called once a batch, never once a
/// packet. The window is bytes; it never falls below two datagrams (RFC 9002 §7.2).
/// </summary>
/// <param name="rtt">The path's estimator.</param>
/// <param name="maxDatagramBytes">The path's datagram size.</param>
public abstract class CongestionController(RttEstimator rtt, int maxDatagramBytes)
{
    private const int MinWindowDatagrams = 2;
    private const int InitialWindowDatagrams = 10;

    // RFC 9002 §7.2: ten datagrams, but no more than 14,720 bytes unless two datagrams exceed it.
    private const int InitialWindowBytes = 14_720;

    // RFC 9002 §7.7: a little faster than a window a round trip, so that pacing never leaves the window unused.
    private const double SlowStartPacingGain = 2.0;
    private const double PacingGain = 1.25;

    public abstract long CongestionWindowBytes { get; }

    public abstract bool InSlowStart { get; }

    /// <summary>What the pacer should let through.</summary>
    public virtual double PacingRateBytesPerSecond =>
        (InSlowStart ? SlowStartPacingGain : PacingGain) * CongestionWindowBytes / Math.Max(Rtt.Smoothed.TotalSeconds, 1e-6);

    /// <summary>The path's datagram size; DPLPMTUD raises or lowers it.</summary>
    public int MaxDatagramBytes { get; set; } = maxDatagramBytes;

    protected RttEstimator Rtt { get; } = rtt;

    protected long MinWindowBytes => MinWindowDatagrams * (long)MaxDatagramBytes;

    public static CongestionController Create(CongestionControl kind, RttEstimator rtt, int maxDatagramBytes) =>
        kind == CongestionControl.Bbr ? new Bbr(rtt, maxDatagramBytes) : new Cubic(rtt, maxDatagramBytes);

    /// <summary>Tells the controller what an ACK or a timeout changed, in the order RFC 9002 asks: losses, then acknowledgements.</summary>
    public void OnReport(Instant now, in RecoveryReport report)
    {
        if (report.SpuriousBytes > 0)
        {
            OnSpuriousLoss(now, report.SpuriousBytes);
        }

        if (report.LostBytes > 0)
        {
            OnLost(now, report.LostBytes, report.NewestLostSentAt);
        }

        if (report.PersistentCongestion)
        {
            Rtt.ForgetMin();
            OnPersistentCongestion(now);
        }

        if (report.HasRttSample)
        {
            OnRttSample(now, Rtt.Latest);
        }

        if (report.AckedBytes > 0)
        {
            OnAcked(now, report.AckedBytes, report.NewestAckedSentAt, report.BytesInFlightBefore);
        }
    }

    /// <summary>A batch left.</summary>
    /// <param name="bytesInFlight">In flight with it.</param>
    public abstract void OnPacketSent(Instant now, int bytes, long bytesInFlight);

    /// <summary>Window and pacer would let more leave, but there is nothing to send.</summary>
    /// <param name="bytesInFlight">In flight now.</param>
    public virtual void OnAppLimited(long bytesInFlight)
    {
    }

    /// <summary>A sample the ACK gave, before <see cref="OnAcked"/>.</summary>
    public virtual void OnRttSample(Instant now, TimeSpan rtt)
    {
    }

    /// <param name="newestSentAt">When the newest packet acknowledged was sent.</param>
    /// <param name="bytesInFlightBefore">In flight before the ACK: tells whether the window was what limited the sender.</param>
    public abstract void OnAcked(Instant now, long ackedBytes, Instant newestSentAt, long bytesInFlightBefore);

    /// <param name="newestLostSentAt">When the newest packet lost was sent: losses from before the last reduction do not reduce again.</param>
    public abstract void OnLost(Instant now, long lostBytes, Instant newestLostSentAt);

    /// <summary>Bytes told to <see cref="OnLost"/> did arrive: they were only late.</summary>
    public virtual void OnSpuriousLoss(Instant now, long arrivedBytes)
    {
    }

    /// <summary>The peer counted congestion-experienced marks; as a loss (RFC 9002 §7.1).</summary>
    /// <param name="newestSentAt">When the newest packet that the ACK acknowledged was sent.</param>
    public abstract void OnEcn(Instant now, Instant newestSentAt);

    public abstract void OnPersistentCongestion(Instant now);

    protected static long InitialWindow(int maxDatagramBytes) =>
        Math.Min(InitialWindowDatagrams * (long)maxDatagramBytes, Math.Max(InitialWindowBytes, 2L * maxDatagramBytes));
}
