namespace Carrier.Dht;

/// <summary>How much is asked to keep a routing table true while nobody looks anything up (Maymounkov 2002 §2.3).</summary>
/// <param name="SilenceBeforePing">How long an entry may be silent before it is pinged.</param>
/// <param name="PingInterval">How often the entry silent longest is pinged.</param>
/// <param name="RefreshInterval">A bucket no lookup went through for so long is refreshed.</param>
public sealed record TableUpkeep(TimeSpan SilenceBeforePing, TimeSpan PingInterval, TimeSpan RefreshInterval);
