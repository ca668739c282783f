using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Node.Homes;

/// <summary>Public nodes that might become homes, with what was measured of them and when they last failed us.</summary>
internal sealed class HomeCandidates
{
    /// <summary>Nodes remembered; beyond, the slowest gives way.</summary>
    public const int MaxCandidates = 64;

    private const int MaxBackoffDoublings = 8;

    private readonly List<Entry> _entries = [];

    /// <summary>How long a node that failed is left alone, the first time; doubled with each failure, up to 21 minutes. Short, for it may be the only one there is.</summary>
    public static TimeSpan FirstCoolDown => TimeSpan.FromSeconds(5);

    /// <summary>Remembers a node; true when that is one more to choose from.</summary>
    public bool Offer(HomeContact contact, TimeSpan? rtt)
    {
        if (contact.Endpoint.Port == 0 || contact.Endpoint.Scope == AddressScope.Unusable)
        {
            return false;
        }

        int known = IndexOf(contact);
        if (known >= 0)
        {
            _entries[known] = _entries[known] with { Contact = contact, Rtt = rtt ?? _entries[known].Rtt };
            return false;
        }

        if (_entries.Count == MaxCandidates)
        {
            Entry slowest = _entries.MaxBy(entry => entry.Rtt);
            if ((rtt ?? TimeSpan.MaxValue) >= slowest.Rtt)
            {
                return false;
            }

            _ = _entries.Remove(slowest);
        }

        _entries.Add(new(contact, rtt ?? TimeSpan.MaxValue, Instant.Zero, 0));
        return true;
    }

    /// <summary>Takes no more of a node for a while.</summary>
    public void CoolDown(Instant now, in HomeContact contact)
    {
        int known = IndexOf(contact);
        if (known >= 0)
        {
            Entry entry = _entries[known];
            TimeSpan rest = FirstCoolDown * (1 << Math.Min(entry.Failures, MaxBackoffDoublings));
            _entries[known] = entry with { CoolUntil = now + rest, Failures = entry.Failures + 1 };
        }
    }

    /// <summary>Lets a node that failed us be chosen again at once; false when it is not known.</summary>
    public bool Forgive(Endpoint endpoint)
    {
        int known = _entries.FindIndex(entry => entry.Contact.Endpoint == endpoint);
        if (known >= 0)
        {
            _entries[known] = _entries[known] with { CoolUntil = Instant.Zero, Failures = 0 };
        }

        return known >= 0;
    }

    /// <summary>Notes that a node served us well, and how fast.</summary>
    public void Succeeded(in HomeContact contact, TimeSpan rtt)
    {
        int known = IndexOf(contact);
        if (known >= 0)
        {
            _entries[known] = _entries[known] with { Rtt = rtt, Failures = 0 };
        }
    }

    /// <summary>Where a node that somebody named at an address out of our reach is known to us at one within it: the same key at the other family's address.</summary>
    public bool TryFindOther(in HomeContact named, out HomeContact other)
    {
        (PublicKey key, bool isIPv4) = (named.Key, named.Endpoint.IsIPv4);
        int known = _entries.FindIndex(entry => entry.Contact.Key == key && entry.Contact.Endpoint.IsIPv4 != isIPv4);
        other = known >= 0 ? _entries[known].Contact : default;
        return known >= 0;
    }

    /// <summary>The fastest node in reach that may be tried now and shares neither key nor, among public addresses, source unit with one in use.</summary>
    public bool TryChoose(Instant now, IReadOnlyList<HomeLink> inUse, Predicate<Endpoint> isInReach, out HomeContact contact)
    {
        Entry? best = null;
        foreach (Entry entry in _entries)
        {
            if (entry.CoolUntil <= now && isInReach(entry.Contact.Endpoint) && (best is null || entry.Rtt < best.Value.Rtt) && !inUse.Any(link => Clashes(link.Contact, entry.Contact)))
            {
                best = entry;
            }
        }

        contact = best?.Contact ?? default;
        return best is not null;
    }

    /// <summary>When the next node may be tried again.</summary>
    public Instant NextCooled(Instant now)
    {
        Instant next = Instant.Never;
        foreach (Entry entry in _entries)
        {
            next = entry.CoolUntil > now ? Instant.Min(next, entry.CoolUntil) : next;
        }

        return next;
    }

    private static bool Clashes(in HomeContact used, in HomeContact other) =>
        used.Key == other.Key
        || used.Endpoint == other.Endpoint
        || (other.Endpoint.Scope == AddressScope.Global && used.Endpoint.SourceUnit == other.Endpoint.SourceUnit);

    // A node with both families is two candidates: one of them may be out of our reach.
    private int IndexOf(HomeContact contact) =>
        _entries.FindIndex(entry => entry.Contact.Key == contact.Key && entry.Contact.Endpoint.IsIPv4 == contact.Endpoint.IsIPv4);

    private readonly record struct Entry(HomeContact Contact, TimeSpan Rtt, Instant CoolUntil, int Failures);
}
