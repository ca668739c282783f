using Carrier.Core;

namespace Carrier.Dht.Rpc;

/// <summary>How much answering work strangers may cause: so many questions a second a source unit, and so many in all.</summary>
/// <remarks>
/// A source address can be forged, so nobody is banned here: a unit that is over its rate is heard again as soon as its bucket fills.
/// Addresses nearer than global share one unit in a LAN or on one machine and answer only to the total.
/// </remarks>
internal sealed class QuestionLimits(RandomSource random)
{
    /// <summary>Questions from one source unit: many users may sit behind one /24 of a carrier-grade NAT.</summary>
    public static readonly TokenRate PerUnit = new(PerSecond: 200, Burst: 600);

    /// <summary>Questions in all: half of what one core answers.</summary>
    public static readonly TokenRate Total = new(PerSecond: 20_000, Burst: 20_000);

    private readonly EndpointBuckets _units = new(PerUnit, random);
    private TokenBucket _total;

    public bool TryTake(Instant now, Endpoint remote) =>
        (remote.Scope != AddressScope.Global || _units.TrySpend(now, remote.SourceUnit)) && _total.TrySpend(now, Total);
}
