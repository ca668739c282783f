using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Dht.Lookups;

/// <summary>A node a lookup has heard of, and how far it got with it.</summary>
internal sealed class Candidate(Contact contact, Distance distance)
{
    /// <summary>Pages of records taken from one node: no target holds more.</summary>
    public const int MaxPages = 24;

    public Contact Contact { get; } = contact;

    public Distance Distance { get; } = distance;

    public CandidateState State { get; set; }

    /// <summary>The one path that asked it: paths are disjoint.</summary>
    public LookupPath? Owner { get; set; }

    public CallId Call { get; set; }

    /// <summary>What this node wants to see with a put; null until it answered a get.</summary>
    public UInt128? WriteToken { get; set; }

    /// <summary>It returned at least one valid record.</summary>
    public bool HoldsRecords { get; set; }

    /// <summary>Where its next page of records begins; null when there is none.</summary>
    public byte[]? Cursor { get; set; }

    public int Pages { get; set; }
}

internal enum CandidateState
{
    Known,
    Asked,

    /// <summary>Slower than usual: the lookup goes on without it and still takes its answer.</summary>
    Stalled,
    Answered,
    Failed,
}
