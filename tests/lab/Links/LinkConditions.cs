namespace Carrier.Lab.Links;

/// <summary>What a link does to the packets of one direction. Bytes are of whole IP packets; zero is unlimited, or never.</summary>
public sealed record LinkConditions
{
    /// <summary>From the end of a packet's transmission to its arrival.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(25);

    /// <summary>Uniform, added to <see cref="Delay"/> for each packet.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Whether <see cref="Jitter"/> lets packets overtake each other. Else each waits for the one before it.</summary>
    public bool JitterReorders { get; init; }

    public long RateBitsPerSecond { get; init; }

    /// <summary>What waits for transmission at most, the packet under transmission included: drop-tail.</summary>
    public int QueueBytes { get; init; }

    /// <summary>With more than this waiting, packets that can be marked are marked with congestion (RFC 3168).</summary>
    public int MarkAboveBytes { get; init; }

    /// <summary>Whether every mark is washed off.</summary>
    public bool Bleaches { get; init; }

    /// <summary>Whether packets that can be marked vanish, as some firewalls had it.</summary>
    public bool DropsMarkable { get; init; }

    /// <summary>The fraction of packets lost on the wire, 0 to 1.</summary>
    public double Loss { get; init; }

    /// <summary>The mean length of a run of losses. Up to 1 they are independent; above, the link alternates between a good state that loses
    /// nothing and a bad one that loses all (Gilbert 1960), with the mean loss of <see cref="Loss"/>.</summary>
    public double LossBurstPackets { get; init; }

    /// <summary>The fraction of packets held back by <see cref="ReorderDelay"/>, so that those behind them arrive first.</summary>
    public double Reorder { get; init; }

    public TimeSpan ReorderDelay { get; init; }

    /// <summary>The fraction of packets delivered twice.</summary>
    public double Duplication { get; init; }

    /// <summary>Longer packets vanish without a word.</summary>
    public int MtuBytes { get; init; }

    /// <summary>The product of rate and round trip of a symmetric link: what one window must hold to fill it.</summary>
    public double BandwidthDelayBytes => RateBitsPerSecond / 8.0 * 2 * (Delay + (Jitter / 2)).TotalSeconds;
}
