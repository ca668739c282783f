namespace Carrier.Core.Session;

/// <summary>A picture of a session for metrics. Packets and bytes are of session packets, without relay headers.</summary>
public readonly record struct SessionStatistics
{
    public required long PacketsSent { get; init; }

    public required long BytesSent { get; init; }

    public required long PacketsReceived { get; init; }

    public required long BytesReceived { get; init; }

    public required long PacketsLost { get; init; }

    /// <summary>Of <see cref="PacketsLost"/>, those that turned out to be only late: what they carried was sent twice.</summary>
    public required long SpuriousLosses { get; init; }

    public required int KeyUpdates { get; init; }

    public required NetworkPath Path { get; init; }

    public required int PathsKnown { get; init; }

    public required TimeSpan SmoothedRtt { get; init; }

    public required long CongestionWindowBytes { get; init; }

    public required long BytesInFlight { get; init; }

    /// <summary>The size packets are filled to on the path in use.</summary>
    public required int PacketBytes { get; init; }

    public required int LiveStreams { get; init; }
}

/// <summary>What is counted as it happens.</summary>
internal sealed class SessionCounts
{
    public long PacketsSent { get; set; }

    public long BytesSent { get; set; }

    public long PacketsReceived { get; set; }

    public long BytesReceived { get; set; }

    public long PacketsLost { get; set; }

    public long SpuriousLosses { get; set; }
}
