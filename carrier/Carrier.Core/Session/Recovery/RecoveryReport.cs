namespace Carrier.Core.Session.Recovery;

/// <summary>What an ACK frame turned out to be.</summary>
public enum AckOutcome
{
    Accepted,

    /// <summary>It acknowledges a number not yet sent: close (RFC 9000 §13.1).</summary>
    NeverSent,

    /// <summary>It acknowledges a number skipped on purpose, an optimistic ACK: close (RFC 9000 §21.4).</summary>
    Skipped,
}

/// <summary>What one ACK frame or timeout changed, for the congestion controller. Bytes are of the active path only.</summary>
public record struct RecoveryReport
{
    public AckOutcome Outcome { get; internal set; }

    public int AckedPackets { get; internal set; }

    /// <summary>Of <see cref="AckedPackets"/>, those that left marked ECT(0), over whatever path.</summary>
    public int AckedMarkedPackets { get; internal set; }

    public int LostPackets { get; internal set; }

    /// <summary>Packets declared lost before that this ACK shows to have arrived.</summary>
    public int SpuriousLosses { get; internal set; }

    /// <summary>Bytes once counted in <see cref="LostBytes"/> that this ACK shows to have arrived.</summary>
    public long SpuriousBytes { get; internal set; }

    /// <summary>The ACK gave the path's estimator a sample: its latest.</summary>
    public bool HasRttSample { get; internal set; }

    /// <summary>The size of the largest packet acknowledged.</summary>
    public int LargestAckedPacketBytes { get; internal set; }

    /// <summary>Packets lost that a path need not carry: larger than <see cref="Paths.MtuSearch.BaseBytes"/>.</summary>
    public int LostLargePackets { get; internal set; }

    public long BytesInFlightBefore { get; internal set; }

    public long AckedBytes { get; internal set; }

    /// <summary>When the newest packet acknowledged was sent.</summary>
    public Instant NewestAckedSentAt { get; internal set; }

    /// <summary>Lost bytes that signal congestion: MTU probes are not among them.</summary>
    public long LostBytes { get; internal set; }

    /// <summary>When the newest packet lost was sent.</summary>
    public Instant NewestLostSentAt { get; internal set; }

    /// <summary>Everything over a long stretch was lost (RFC 9002 §7.6).</summary>
    public bool PersistentCongestion { get; internal set; }

    /// <summary>The probe timeout expired: <see cref="LossDetector.ProbesOwed"/> packets are to be sent whatever the window says.</summary>
    public bool ProbeTimeout { get; internal set; }
}
