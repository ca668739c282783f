using Carrier.Core;

namespace Carrier.Dht.Rpc;

/// <summary>Our own addresses as the nodes we asked last saw them: the reflexive addresses that come free with every answer.</summary>
public sealed class ObservedAddresses
{
    /// <summary>Observations kept; the oldest gives way.</summary>
    public const int Kept = 16;

    private readonly List<Observation> _latest = new(Kept);

    /// <summary>One observation a source unit, so that no address block speaks twice; oldest first.</summary>
    public IReadOnlyList<Observation> Latest => _latest;

    internal void Add(Instant now, Endpoint observer, Endpoint address)
    {
        for (int i = 0; i < _latest.Count; i++)
        {
            if (_latest[i].Observer.SourceUnit == observer.SourceUnit)
            {
                _latest.RemoveAt(i);
                break;
            }
        }

        if (_latest.Count == Kept)
        {
            _latest.RemoveAt(0);
        }

        _latest.Add(new Observation(now, observer, address));
    }
}

/// <summary>At <paramref name="At"/>, <paramref name="Observer"/> saw our question come from <paramref name="Address"/>.</summary>
public readonly record struct Observation(Instant At, Endpoint Observer, Endpoint Address);
