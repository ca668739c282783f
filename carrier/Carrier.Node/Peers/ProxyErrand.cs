using Carrier.Core.Crypto;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Node.Homes;

namespace Carrier.Node.Peers;

/// <summary>One lookup or put that this device's homes are asked to do for it, one after the other.</summary>
/// <param name="outOfReach">The effect of the operation, which is a put when it brings a record.</param>
/// <param name="homes">Whom to ask.</param>
internal sealed class ProxyErrand(DhtEffect outOfReach, IEnumerable<HomeContact> homes)
{
    private readonly Queue<HomeContact> _homes = new(homes);

    public DhtOperation Operation => outOfReach.Operation;

    public DhtRecord? Record { get; } = outOfReach.Records.SingleOrDefault();

    public HomeMethod Method => Record is null ? HomeMethod.ProxyGet : HomeMethod.ProxyPut;

    /// <summary>The home asked now.</summary>
    public HomeContact Home { get; private set; }

    /// <summary>Records this home has told, genuine or not.</summary>
    public int Told { get; set; }

    /// <summary>Whether a home told a genuine record that was not known.</summary>
    public bool HasFound { get; set; }

    /// <summary>Homes that stored the record, and the most nodes one of them stored it at.</summary>
    public (int Homes, int Nodes) Stored { get; set; }

    public bool TryNextHome()
    {
        bool any = _homes.TryDequeue(out HomeContact next);
        (Home, Told) = (next, 0);
        return any;
    }

    /// <summary>Writes the question's body; returns its bytes.</summary>
    public int Encode(PublicKey device, Span<byte> body) => Record is { } record
        ? new ProxyPutQuestion { Record = record.Encoded.Span }.Encode(body)
        : new ProxyGetQuestion(device, outOfReach.Target, (byte)Told).Encode(body);
}
