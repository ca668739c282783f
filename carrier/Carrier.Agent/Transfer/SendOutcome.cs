namespace Carrier.Agent.Transfer;

/// <summary>How sending ended.</summary>
internal sealed record SendOutcome
{
    public RefusalReason? Refusal { get; init; }

    public FailureReason Failure { get; init; }

    /// <summary>SHA-256 of every file, by entry; null for folders, and for entries a broken transfer did not reach.</summary>
    public required IReadOnlyList<byte[]?> Digests { get; init; }

    /// <summary>Bytes of data that went over the wire this time.</summary>
    public long BytesSent { get; init; }

    /// <summary>Bytes the receiver had from a former time.</summary>
    public long BytesResumed { get; init; }

    /// <summary>When the receiver's first byte was here (<see cref="TimeProvider.GetTimestamp"/>); zero if none ever was.</summary>
    public long FirstByteAt { get; init; }

    public bool IsDone => Failure == FailureReason.None && Refusal is null;
}
