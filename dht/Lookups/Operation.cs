using Carrier.Dht.Records;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Lookups;

/// <summary>A lookup and what it is for.</summary>
internal sealed class Operation(ulong id, OperationKind kind, Lookup lookup)
{
    public ulong Id { get; } = id;

    public OperationKind Kind { get; } = kind;

    public Lookup Lookup { get; } = lookup;

    public FoundRecords Found { get; } = new(lookup.Target);

    /// <summary>Go on to the closest nodes even when enough returned the record.</summary>
    public bool Thorough { get; init; }

    /// <summary>What is stored at the nodes found; null until the lookup is over where it is signed only then.</summary>
    public DhtRecord? Record { get; set; }

    public ulong? ExpectedSequence { get; init; }

    public Publication? Publication { get; init; }

    public int PutsPending { get; set; }

    public int PutsAsked { get; set; }

    /// <summary>Nodes that keep the record now, this one not counted.</summary>
    public int PutsStored { get; set; }

    /// <summary>Nodes that keep it by the word of proxies.</summary>
    public int PutsByProxy { get; set; }

    /// <summary>Whether this node keeps it too, as one of those its target belongs to.</summary>
    public bool IsStoredHere { get; set; }

    public PutOutcome PutRefusal { get; set; }

    /// <summary>The lookup has ended and its puts, if any, are out.</summary>
    public bool LookupIsOver { get; set; }

    /// <summary>The nodes closest to the target that answered; set when the lookup is over.</summary>
    public IReadOnlyList<Contact> Closest { get; set; } = [];

    /// <summary>The node above has another node do the rest.</summary>
    public bool IsHandedOver { get; set; }

    public bool AsksForRecords => Kind is OperationKind.Get or OperationKind.Put;
}

internal enum OperationKind
{
    FindNode,
    Get,
    Put,

    /// <summary>Our own lookup, to fill the table.</summary>
    Refresh,
}
