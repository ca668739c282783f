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

    /// <summary>The same of a node that does not serve: its table is for its own lookups alone, and each of those refreshes what it goes through.</summary>
    public TimeSpan ClientRefreshInterval { get; init; } = TimeSpan.FromHours(2);

    /// <summary>How often a serving node pings the entry silent longest; half a minute of silence at least.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The same of a node that does not serve, whose every ping costs battery and a NAT's mapping; five minutes of silence at least.</summary>
    public TimeSpan ClientPingInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How often own records are put again, with a tenth of jitter: twice in their life; what changes is put at once.</summary>
    public TimeSpan PublishInterval { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long own signed records live without being put again; at most <see cref="Records.SignedRecord.MaxLifetime"/>.</summary>
    public TimeSpan RecordLifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Whether IPv4 nodes can be reached from here.</summary>
    public bool ReachesIPv4 { get; init; } = true;

    /// <summary>Whether IPv6 nodes can be reached from here.</summary>
    public bool ReachesIPv6 { get; init; } = true;
}
