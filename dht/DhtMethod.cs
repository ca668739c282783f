namespace Carrier.Dht;

/// <summary>The methods of the DHT (docs/protocol.md §7). 4–15 are reserved.</summary>
public enum DhtMethod
{
    Ping = 0,
    FindNode = 1,
    Get = 2,
    Put = 3,
}
