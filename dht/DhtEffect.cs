using Carrier.Dht.Records;
using Carrier.Dht.Routing;

namespace Carrier.Dht;

/// <summary>Names one lookup, put or publication from its beginning to its last effect.</summary>
public readonly record struct DhtOperation(ulong Value);

public enum DhtEffectKind
{
    /// <summary>The table has its first entries and a lookup of our own place is done.</summary>
    Joined,

    /// <summary>A get found a genuine record: a new one, or a later one than told before. The get goes on.</summary>
    RecordFound,

    /// <summary>Nodes a get or put belongs to have no address that is in reach from here. Have another node look up <see cref="DhtEffect.Target"/>, or put
    /// the record of <see cref="DhtEffect.Records"/> there, and then say <see cref="DhtMachine.Conclude"/>; told only where <see cref="DhtMachine.HasProxies"/>.</summary>
    OutOfReach,

    /// <summary>A lookup is over; <see cref="DhtEffect.Contacts"/> and <see cref="DhtEffect.Records"/> are all it found.</summary>
    LookupFinished,

    /// <summary>A put is over; <see cref="DhtEffect.StoredCount"/> nodes keep the record.</summary>
    PutFinished,

    /// <summary>A publication was put once more. It goes on until it is withdrawn.</summary>
    Published,
}

/// <summary>What came of the application's operations. Owns what it carries.</summary>
public sealed record DhtEffect(DhtEffectKind Kind, DhtOperation Operation)
{
    /// <summary>The genuine records, the latest of each device; revoked and expired ones are left out.</summary>
    public IReadOnlyList<DhtRecord> Records { get; init; } = [];

    /// <summary>Where an operation out of reach looks or puts.</summary>
    public DhtKey Target { get; init; }

    /// <summary>The nodes closest to the target that answered, closest first.</summary>
    public IReadOnlyList<Contact> Contacts { get; init; } = [];

    public int StoredCount { get; init; }

    /// <summary>Nodes that were asked to store.</summary>
    public int AskedCount { get; init; }

    /// <summary>Why those that refused did, as the last of them said; <see cref="PutOutcome.Stored"/> when none refused.</summary>
    public PutOutcome Refusal { get; init; }
}
