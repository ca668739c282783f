namespace Carrier.Dht;

/// <summary>How a node takes part in the DHT. The defaults suit a node on the internet.</summary>
public sealed record DhtOptions
{
    public static DhtOptions Default { get; } = new();

    /// <summary>Disjoint paths of a get (S/Kademlia's d); 4 withstands a third of the nodes lying, at about twice the messages.</summary>
    public int ReadPaths { get; init; } = 1;

    /// <summary>A get that is not thorough ends when this many nodes returned the record.</summary>
    public int ReadQuorum { get; init; } = 4;

    /// <summary>What a serving node's table costs.</summary>
    public TableUpkeep ServingUpkeep { get; init; } = new(
        SilenceBeforePing: TimeSpan.FromSeconds(30), PingInterval: TimeSpan.FromSeconds(5), RefreshInterval: TimeSpan.FromMinutes(15));

    /// <summary>What that of a node costs that does not serve: it is for its own lookups alone, which pass over the dead and refresh what they go through, and
    /// every question costs battery and a NAT's mapping.</summary>
    public TableUpkeep ClientUpkeep { get; init; } = new(
        SilenceBeforePing: TimeSpan.FromMinutes(5), PingInterval: TimeSpan.FromMinutes(5), RefreshInterval: TimeSpan.FromHours(2));

    /// <summary>How often own records are put again, with a tenth of jitter: twice in their life; what changes is put at once.</summary>
    public TimeSpan PublishInterval { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long own signed records live without being put again; at most <see cref="Records.SignedRecord.MaxLifetime"/>.</summary>
    public TimeSpan RecordLifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Whether IPv4 nodes can be reached from here.</summary>
    public bool ReachesIPv4 { get; init; } = true;

    /// <summary>Whether IPv6 nodes can be reached from here.</summary>
    public bool ReachesIPv6 { get; init; } = true;
}
