namespace Carrier.Dht;

/// <summary>How a node takes part in the DHT. The defaults suit a node on the internet.</summary>
public sealed record DhtOptions
{
    public static DhtOptions Default { get; } = new();

    /// <summary>Disjoint paths of a get (S/Kademlia's d); 4 withstands a third of the nodes lying, at about twice the messages.</summary>
    public int ReadPaths { get; init; } = 1;

    /// <summary>A get that is not thorough ends when this many nodes returned the record.</summary>
    public int ReadQuorum { get; init; } = 4;

    /// <summary>A bucket no lookup went through for so long is refreshed.</summary>
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How often the entry silent longest is pinged; half a minute of silence at least.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often own records are put again, with a tenth of jitter.</summary>
    public TimeSpan PublishInterval { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long own signed records live without being put again; at most <see cref="Records.SignedRecord.MaxLifetime"/>.</summary>
    public TimeSpan RecordLifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Whether IPv4 nodes can be reached from here.</summary>
    public bool ReachesIPv4 { get; init; } = true;

    /// <summary>Whether IPv6 nodes can be reached from here.</summary>
    public bool ReachesIPv6 { get; init; } = true;
}
