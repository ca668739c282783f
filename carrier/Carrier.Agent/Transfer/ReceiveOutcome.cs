namespace Carrier.Agent.Transfer;

/// <summary>How receiving one transfer ended: installed, refused, or failed.</summary>
internal sealed record ReceiveOutcome
{
    /// <summary>What was offered; null when the offer could not be read.</summary>
    public Offer? Offer { get; init; }

    /// <summary>Where it is now; null unless everything is there and verified.</summary>
    public string? InstalledAt { get; init; }

    public RefusalReason? Refusal { get; init; }

    public FailureReason Failure { get; init; }

    /// <summary>SHA-256 of a single file; null for a folder.</summary>
    public byte[]? Sha256 { get; init; }

    /// <summary>Bytes of data that came over the wire this time.</summary>
    public long BytesReceived { get; init; }
}

/// <summary>What whoever decides says to an offer: a folder to put it in, or a reason why not.</summary>
internal readonly record struct ReceiveDecision(string? Destination, RefusalReason Refusal)
{
    public static ReceiveDecision Accept(string destination) => new(destination, default);

    public static ReceiveDecision Refuse(RefusalReason reason) => new(null, reason);
}
