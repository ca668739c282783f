using Carrier.Core;

namespace Carrier.Nat;

/// <summary>How many probes we send to addresses that have not answered yet, so that nobody's candidate list makes us flood a third party.</summary>
/// <remarks>
/// Candidates come from a peer that proved its identity, but it may name a victim's address (RFC 8445 §19.5.1). Until an endpoint
/// answers with an authenticated packet it gets a few probes a minute, its source unit a few a second, and all such endpoints
/// together a bounded stream, whichever and however many peers named them. Probes to an answering endpoint need no budget.
/// </remarks>
public sealed class PunchBudget
{
    private readonly EndpointBuckets _perEndpoint;
    private readonly EndpointBuckets _perSourceUnit;
    private readonly DropCounters _drops;
    private TokenBucket _global;

    public PunchBudget(RandomSource random, DropCounters drops)
    {
        _drops = drops;
        _perEndpoint = new(RatePerEndpoint, random);
        _perSourceUnit = new(RatePerSourceUnit, random);
    }

    /// <summary>Three rounds of <see cref="PunchSchedule"/> at once, then one round in a minute.</summary>
    public static TokenRate RatePerEndpoint => new(PunchSchedule.MaxProbes / 60.0, 3 * PunchSchedule.MaxProbes);

    /// <summary>Several devices behind one NAT punched at once, and no more.</summary>
    public static TokenRate RatePerSourceUnit => new(16, 128);

    /// <summary>All unanswered probes together: dialling four peers with full candidate lists at once.</summary>
    public static TokenRate GlobalRate => new(200, 4 * Candidate.MaxListed * PunchSchedule.MaxProbes);

    /// <summary>Spends one probe towards an endpoint that has not answered; false when it must not be sent.</summary>
    public bool TrySpend(Instant now, Endpoint target)
    {
        if (target.Port == 0 || target.Scope == AddressScope.Unusable)
        {
            _drops.Count(DropReason.ScopeMismatch);
            return false;
        }

        Endpoint unit = target.SourceUnit;
        if (!_perEndpoint.CanSpend(now, target) || !_perSourceUnit.CanSpend(now, unit) || !_global.TrySpend(now, GlobalRate))
        {
            _drops.Count(DropReason.OverBudget);
            return false;
        }

        _perEndpoint.Spend(now, target);
        _perSourceUnit.Spend(now, unit);
        return true;
    }
}
