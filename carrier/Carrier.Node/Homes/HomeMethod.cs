namespace Carrier.Node.Homes;

/// <summary>Method numbers of the sealed questions a home answers; 16 and above belong to the node, below to the DHT. Never renumber.</summary>
public enum HomeMethod
{
    Register = 16,
    Connect = 17,
    Unregister = 18,
    Knock = 19,
    ProxyGet = 20,
    ProxyPut = 21,
    KnockLater = 22,
}
