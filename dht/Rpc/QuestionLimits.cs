using Carrier.Core;

namespace Carrier.Dht.Rpc;

/// <summary>How much answering work strangers may cause: so many questions a second a source unit, and so many in all.</summary>
/// <remarks>
/// A source address can be forged, so nobody is banned here: a unit that is over its rate is heard again as soon as its bucket drains.
/// Addresses nearer than global share one unit in a LAN or on one machine and answer only to the total.
/// </remarks>
internal sealed class QuestionLimits
{
    /// <summary>Questions a second from one source unit: many users may sit behind one /24 of a carrier-grade NAT.</summary>
    public const int PerUnitPerSecond = 400;

    /// <summary>Questions a second in all: half of what one core answers.</summary>
    public const int TotalPerSecond = 20_000;

    /// <summary>Units remembered; a forgotten one starts afresh and still meets the total.</summary>
    public const int MaxUnits = 4_096;

    private readonly LruTable<Endpoint, TokenBucket> _units = new(MaxUnits);
    private TokenBucket _total = new(TotalPerSecond);

    public bool TryTake(Instant now, Endpoint remote) => IsWithinUnit(now, remote) && _total.TryTake(now);

    private bool IsWithinUnit(Instant now, Endpoint remote)
    {
        if (remote.Scope != AddressScope.Global)
        {
            return true;
        }

        ref TokenBucket unit = ref _units.GetOrAdd(remote.SourceUnit, out bool existed);
        if (!existed)
        {
            unit = new TokenBucket(PerUnitPerSecond);
        }

        return unit.TryTake(now);
    }
}
