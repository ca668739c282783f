using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Dht.Routing;

/// <summary>The k-buckets around one key (Maymounkov 2002 §2.2): bucket i holds nodes that share exactly i leading bits with it.</summary>
/// <remarks>
/// Only nodes that answered our own question enter. A live entry is never evicted; one that fails is replaced. An address block (a source
/// unit) may hold only a few places, unless its addresses are not global: a network on one machine or LAN has only one block.
/// At most <see cref="DhtKey.Bits"/> × k entries and as many spares; in practice k·log₂(N/k).
/// </remarks>
public sealed class RoutingTable(DhtKey centre)
{
    /// <summary>Entries a bucket, contacts an answer, nodes a record is stored at.</summary>
    public const int K = 20;

    /// <summary>Entries one global source unit may hold in a bucket.</summary>
    public const int MaxOfUnitInBucket = 2;

    /// <summary>Entries one global source unit may hold in the table.</summary>
    public const int MaxOfUnitInTable = 10;

    /// <summary>Unanswered questions in a row after which a spare takes the entry's place.</summary>
    public const int FailuresToReplace = 2;

    /// <summary>Unanswered questions in a row after which an entry leaves even without a spare.</summary>
    public const int FailuresToRemove = 4;

    private readonly Bucket?[] _buckets = new Bucket?[DhtKey.Bits];
    private readonly Dictionary<PublicKey, TableEntry> _byKey = [];
    private readonly Dictionary<Endpoint, int> _unitCounts = [];
    private readonly List<TableEntry> _found = [];
    private readonly ByDistance _byDistance = new();

    public DhtKey Centre { get; } = centre;

    public int Count => _byKey.Count;

    public bool Contains(in PublicKey key) => _byKey.ContainsKey(key);

    /// <summary>Learns that a node answered our own question; it enters, is refreshed or becomes a spare. True when it is an entry now.</summary>
    public bool Answered(Instant now, in Contact contact)
    {
        if (contact.Id == Centre)
        {
            return false;
        }

        if (_byKey.TryGetValue(contact.Key, out TableEntry? known))
        {
            if (known.Contact == contact)
            {
                known.AnsweredAt = now;
                known.Failures = 0;
                return true;
            }

            if (known.Failures == 0 && known.Contact.Endpoint != contact.Endpoint)
            {
                return true; // one key, two addresses: the live one stays
            }

            Remove(known);
        }

        Bucket bucket = BucketAt(BucketIndex(contact.Id));
        TableEntry entry = new(contact, now);
        if (!HasRoomForUnit(bucket, contact.Endpoint))
        {
            return false;
        }

        if (bucket.Entries.Count == K)
        {
            if (bucket.Worst() is not { } worst)
            {
                bucket.AddReplacement(entry);
                return false;
            }

            Remove(worst);
        }

        Add(bucket, entry);
        return true;
    }

    /// <summary>Learns that a node left our question unanswered. What was asked at another address of it says nothing of the one it is known to answer at.</summary>
    public void Failed(in PublicKey key, Endpoint asked)
    {
        if (!_byKey.TryGetValue(key, out TableEntry? entry) || entry.Contact.Endpoint != asked)
        {
            return;
        }

        entry.Failures++;
        Bucket bucket = BucketAt(BucketIndex(entry.Contact.Id));
        if (entry.Failures >= FailuresToRemove)
        {
            Remove(entry);
        }

        if (entry.Failures >= FailuresToReplace && bucket.TryTakeReplacement(out TableEntry spare))
        {
            Remove(entry);
            if (!_byKey.ContainsKey(spare.Contact.Key) && HasRoomForUnit(bucket, spare.Contact.Endpoint))
            {
                Add(bucket, spare);
            }
        }
    }

    /// <summary>Drops a node at once: it was proven to misbehave.</summary>
    public void Expel(in PublicKey key)
    {
        if (_byKey.TryGetValue(key, out TableEntry? entry))
        {
            Remove(entry);
        }
    }

    /// <summary>Fills <paramref name="destination"/> with the live entries closest to a target, closest first; returns how many.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="narrowest">Contacts of a narrower scope than this mean nothing to whoever asks.</param>
    /// <param name="destination">At most this many.</param>
    public int Closest(DhtKey target, AddressScope narrowest, Span<Contact> destination) =>
        Closest(target, narrowest, destination, FailuresToReplace - 1);

    /// <summary>As <see cref="Closest(DhtKey, AddressScope, Span{Contact})"/>, but of all entries where none is live: after a time without a network there is nobody else to ask.</summary>
    public int ClosestToAsk(DhtKey target, Span<Contact> destination)
    {
        int live = Closest(target, AddressScope.Loopback, destination);
        return live > 0 ? live : Closest(target, AddressScope.Loopback, destination, FailuresToRemove);
    }

    /// <summary>Notes that a lookup for <paramref name="target"/> went out, so that its bucket need not be refreshed soon.</summary>
    public void LookedUp(Instant now, DhtKey target)
    {
        if (target != Centre)
        {
            BucketAt(BucketIndex(target)).LookedUpAt = now;
        }
    }

    /// <summary>Finds the bucket that has waited longest for a lookup and longer than <paramref name="interval"/>; gives a random key of it.</summary>
    /// <remarks>Buckets deeper than the deepest entry cover next to nothing and share one refresh: a lookup of the centre.</remarks>
    public bool TryTakeStale(Instant now, TimeSpan interval, RandomSource random, out DhtKey target)
    {
        target = default;
        int deepest = DeepestBucket();
        int stalest = -1;
        Instant oldest = now - interval;
        for (int i = 0; i <= deepest; i++)
        {
            Instant lookedUpAt = BucketAt(i).LookedUpAt ?? new Instant(long.MinValue);
            if (lookedUpAt <= oldest)
            {
                stalest = i;
                oldest = lookedUpAt;
            }
        }

        if (stalest < 0)
        {
            return false;
        }

        BucketAt(stalest).LookedUpAt = now;
        target = stalest == deepest ? Centre : Centre.RandomAtPrefix(stalest, random);
        return true;
    }

    /// <summary>When <see cref="TryTakeStale"/> will next find a bucket.</summary>
    public Instant StaleAt(TimeSpan interval)
    {
        Instant oldest = Instant.Never;
        for (int i = 0; i <= DeepestBucket(); i++)
        {
            oldest = Instant.Min(oldest, BucketAt(i).LookedUpAt ?? Instant.Zero);
        }

        return oldest + interval;
    }

    /// <summary>When <see cref="TryFindSilent"/> will next find an entry.</summary>
    public Instant SilentAt(TimeSpan silence)
    {
        Instant oldest = Instant.Never;
        foreach (TableEntry entry in _byKey.Values)
        {
            oldest = Instant.Min(oldest, entry.AnsweredAt);
        }

        return oldest + silence;
    }

    /// <summary>The entry silent longest, if longer than <paramref name="silence"/>: the one to ping.</summary>
    public bool TryFindSilent(Instant now, TimeSpan silence, out Contact contact)
    {
        TableEntry? oldest = null;
        foreach (TableEntry entry in _byKey.Values)
        {
            if (oldest is null || entry.AnsweredAt < oldest.AnsweredAt)
            {
                oldest = entry;
            }
        }

        contact = oldest?.Contact ?? default;
        return oldest is not null && now - oldest.AnsweredAt >= silence;
    }

    public IEnumerable<Contact> Contacts()
    {
        foreach (Bucket? bucket in _buckets)
        {
            if (bucket is null)
            {
                continue;
            }

            foreach (TableEntry entry in bucket.Entries)
            {
                yield return entry.Contact;
            }
        }
    }

    private int Closest(DhtKey target, AddressScope narrowest, Span<Contact> destination, int mostFailures)
    {
        // Seen from the target, its own bucket is nearest, then all deeper ones together, then the shallower ones one by one.
        int own = Math.Min(Centre.DistanceTo(target).SharedBits, DhtKey.Bits - 1);
        int count = CollectSorted(own, own, target, narrowest, mostFailures, destination, 0);
        count = CollectSorted(own + 1, DhtKey.Bits - 1, target, narrowest, mostFailures, destination, count);
        for (int i = own - 1; i >= 0 && count < destination.Length; i--)
        {
            count = CollectSorted(i, i, target, narrowest, mostFailures, destination, count);
        }

        return count;
    }

    private int CollectSorted(int first, int last, DhtKey target, AddressScope narrowest, int mostFailures, Span<Contact> destination, int count)
    {
        _found.Clear();
        for (int i = first; i <= last; i++)
        {
            if (_buckets[i] is not { } bucket)
            {
                continue;
            }

            foreach (TableEntry entry in bucket.Entries)
            {
                if (entry.Failures <= mostFailures && entry.Contact.Endpoint.Scope >= narrowest)
                {
                    _found.Add(entry);
                }
            }
        }

        _byDistance.Target = target;
        _found.Sort(_byDistance);
        for (int i = 0; i < _found.Count && count < destination.Length; i++)
        {
            destination[count++] = _found[i].Contact;
        }

        return count;
    }

    private int BucketIndex(DhtKey id) => Math.Min(Centre.DistanceTo(id).SharedBits, DhtKey.Bits - 1);

    private Bucket BucketAt(int index) => _buckets[index] ??= new Bucket();

    private int DeepestBucket()
    {
        int deepest = DhtKey.Bits - 1;
        while (deepest >= 0 && _buckets[deepest] is not { Entries.Count: > 0 })
        {
            deepest--;
        }

        return deepest;
    }

    private bool HasRoomForUnit(Bucket bucket, Endpoint endpoint) =>
        endpoint.Scope != AddressScope.Global
        || (bucket.CountOfUnit(endpoint.SourceUnit) < MaxOfUnitInBucket
            && _unitCounts.GetValueOrDefault(endpoint.SourceUnit) < MaxOfUnitInTable);

    private void Add(Bucket bucket, TableEntry entry)
    {
        Endpoint unit = entry.Contact.Endpoint.SourceUnit;
        _ = bucket.RemoveReplacement(entry.Contact);
        bucket.Entries.Add(entry);
        _byKey[entry.Contact.Key] = entry;
        _unitCounts[unit] = _unitCounts.GetValueOrDefault(unit) + 1;
    }

    private void Remove(TableEntry entry)
    {
        if (!_byKey.Remove(entry.Contact.Key))
        {
            return;
        }

        _ = BucketAt(BucketIndex(entry.Contact.Id)).Entries.Remove(entry);
        Endpoint unit = entry.Contact.Endpoint.SourceUnit;
        int left = _unitCounts[unit] - 1;
        if (left == 0)
        {
            _ = _unitCounts.Remove(unit);
        }
        else
        {
            _unitCounts[unit] = left;
        }
    }

    private sealed class ByDistance : IComparer<TableEntry>
    {
        public DhtKey Target { get; set; }

        public int Compare(TableEntry? x, TableEntry? y) =>
            x!.Contact.Id.DistanceTo(Target).CompareTo(y!.Contact.Id.DistanceTo(Target));
    }
}
