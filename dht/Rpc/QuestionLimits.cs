using Carrier.Core;

namespace Carrier.Dht.Rpc;

/// <summary>How much answering work strangers may cause: so many questions a second a source, and so many in all.</summary>
/// <remarks>
/// A source address can be forged, so nobody is banned here: a source that is over its rate is heard again as soon as its bucket fills. A source is a
/// source unit; nearer than global, where everybody shares one unit in a LAN or on one machine, it is an endpoint, so that one loud
/// neighbour does not use up the total for all.
/// </remarks>
internal sealed class QuestionLimits(RandomSource random)
{
    /// <summary>Questions from one source: many users may sit behind one /24 of a carrier-grade NAT.</summary>
    public static readonly TokenRate PerSource = new(PerSecond: 200, Burst: 600);

    /// <summary>Questions in all: half of what one core answers.</summary>
    public static readonly TokenRate Total = new(PerSecond: 20_000, Burst: 20_000);

    private readonly EndpointBuckets _sources = new(PerSource, random);
    private TokenBucket _total;

    public bool TryTake(Instant now, Endpoint remote) =>
        _sources.TrySpend(now, remote.Scope == AddressScope.Global ? remote.SourceUnit : remote) && _total.TrySpend(now, Total);
}
