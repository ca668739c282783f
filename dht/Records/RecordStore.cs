using System.Runtime.InteropServices;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Records;

/// <summary>The records a serving node keeps for others: verified before they enter, bounded by target, owner, source and total.</summary>
/// <remarks>
/// A sequence never falls. What was stored and acknowledged stays until it expires, unless the store is full and a closer target needs the
/// room: then the farthest target goes, because others are closer to it. Strangers' keys are free, so what bounds a flood of
/// them is the source they come from.
/// </remarks>
public sealed class RecordStore(DhtKey centre)
{
    public const int MaxRecords = 16_384;

    public const int MaxTotalBytes = 16 * 1024 * 1024;

    /// <summary>Devices of one owner at one target.</summary>
    public const int MaxDevicesOfTarget = 16;

    /// <summary>Records of one TrustID at all targets together.</summary>
    public const int MaxRecordsOfOwner = 64;

    /// <summary>Records first put from one global source unit.</summary>
    public const int MaxRecordsOfSource = 512;

    /// <summary>How long an immutable record or a revocation is kept after it was last put.</summary>
    public static readonly TimeSpan ImmutableLifetime = SignedRecord.MaxLifetime;

    /// <summary>Records verified: about 150 µs each, an eighth of a core.</summary>
    public static readonly TokenRate VerificationRate = new(PerSecond: 800, Burst: 800);

    private readonly Dictionary<DhtKey, TargetRecords> _targets = [];
    private readonly Dictionary<TrustId, Owner> _owners = [];
    private readonly Dictionary<Endpoint, int> _sources = [];
    private readonly SortedSet<DhtKey> _byDistance = new(new FromCentre(centre));
    private readonly DhtKey _centre = centre;
    private TokenBucket _verifications;

    public int Count { get; private set; }

    public int TotalBytes { get; private set; }

    /// <summary>Verifies a record and keeps it under <paramref name="target"/>.</summary>
    /// <param name="now">For the verification budget.</param>
    /// <param name="wall">Wall-clock time.</param>
    /// <param name="record">Parsed, not verified.</param>
    /// <param name="target">The record's own, or for a revocation any target its owner has records at.</param>
    /// <param name="source">Where the put came from; its address is proven.</param>
    /// <param name="expected">Compare and swap: the sequence the kept record must have, zero for none kept; null for any lower one.</param>
    public PutOutcome Put(Instant now, UnixTime wall, DhtRecord record, DhtKey target, Endpoint source, ulong? expected)
    {
        ArgumentNullException.ThrowIfNull(record);
        TargetRecords? records = _targets.GetValueOrDefault(target);
        TrustId owner = OwnerOf(record);
        if (target != record.Target && !HasRecordOf(records, owner))
        {
            return PutOutcome.Invalid;
        }

        PublicKey slot = (record as SignedRecord)?.Device ?? default;
        StoredRecord? kept = record is RevocationRecord ? records?.Revocation : records?.Find(slot);
        if (kept is not null && kept.Record.Encoded.Span.SequenceEqual(record.Encoded.Span))
        {
            Replace(kept, kept with { DropAt = DropAt(record, wall) }, records!);
            return PutOutcome.Stored;
        }

        PutOutcome sequence = CheckSequence(record, kept, expected);
        if (sequence != PutOutcome.Stored)
        {
            return sequence;
        }

        Endpoint unit = kept?.SourceUnit ?? (source.Scope == AddressScope.Global ? source.SourceUnit : default);
        if (kept is null && !HasRoom(records, owner, unit, target))
        {
            return PutOutcome.Full;
        }

        if (!_verifications.TrySpend(now, VerificationRate))
        {
            return PutOutcome.Busy;
        }

        (record as SignedRecord)?.ShareDelegation((kept?.Record as SignedRecord)?.Delegation);
        RecordVerdict verdict = record.Verify(wall, _owners.GetValueOrDefault(owner).SerialFloor);
        if (verdict != RecordVerdict.Valid)
        {
            return OutcomeOf(verdict);
        }

        Keep(new StoredRecord(record, slot, unit, DropAt(record, wall)), kept, target);
        return PutOutcome.Stored;
    }

    /// <summary>The sequence kept for a device at a target, if any.</summary>
    public ulong? SequenceOf(DhtKey target, in PublicKey device) => (_targets.GetValueOrDefault(target)?.Find(device)?.Record as SignedRecord)?.Sequence;

    /// <summary>Whether anything is kept there.</summary>
    public bool Contains(DhtKey target) => _targets.ContainsKey(target);

    /// <summary>Collects one page: the revocation first, then the slots after <paramref name="cursor"/>, as many as fit.</summary>
    /// <returns>False when this was the last page; else <paramref name="cursor"/> is where the next begins.</returns>
    public bool TryReadPage(DhtKey target, UnixTime wall, int roomBytes, ref ReadOnlyMemory<byte> cursor, ICollection<DhtRecord> page)
    {
        ArgumentNullException.ThrowIfNull(page);
        if (!_targets.TryGetValue(target, out TargetRecords? records))
        {
            return false;
        }

        int at = 0;
        if (cursor.Length == PublicKey.Bytes)
        {
            PublicKey after = new(cursor.Span);
            at = records.IndexOf(after);
            at += at < records.Slots.Count && records.Slots[at].Slot == after ? 1 : 0;
        }
        else if (records.Revocation is { } revocation)
        {
            roomBytes -= revocation.Record.Encoded.Length;
            if (roomBytes < 0)
            {
                return true;
            }

            page.Add(revocation.Record);
        }

        for (; at < records.Slots.Count; at++)
        {
            StoredRecord stored = records.Slots[at];
            if (stored.DropAt <= wall)
            {
                continue;
            }

            roomBytes -= stored.Record.Encoded.Length;
            if (roomBytes < 0)
            {
                return true;
            }

            page.Add(stored.Record);
            cursor = stored.Slot.Span.ToArray();
        }

        return false;
    }

    /// <summary>Drops what has expired. Reads never return it anyway; this gives the room back.</summary>
    public void Expire(UnixTime wall)
    {
        List<TargetRecords> stale = [];
        foreach (TargetRecords records in _targets.Values)
        {
            if (records.Revocation?.DropAt <= wall || records.Slots.Exists(stored => stored.DropAt <= wall))
            {
                stale.Add(records);
            }
        }

        foreach (TargetRecords records in stale)
        {
            DropWhere(records, stored => stored.DropAt <= wall);
        }
    }

    /// <summary>Every record kept, with its target; for a snapshot, or a store around a new centre.</summary>
    public IEnumerable<(DhtKey Target, DhtRecord Record, Endpoint SourceUnit)> Records()
    {
        foreach (TargetRecords records in _targets.Values)
        {
            foreach (StoredRecord stored in records.Slots)
            {
                yield return (records.Target, stored.Record, stored.SourceUnit);
            }

            if (records.Revocation is { } revocation)
            {
                yield return (records.Target, revocation.Record, revocation.SourceUnit);
            }
        }
    }

    /// <summary>Takes back a record this store kept before; the shell's own file is believed, the clock is not.</summary>
    internal void Restore(UnixTime wall, DhtRecord record, DhtKey target, Endpoint sourceUnit)
    {
        UnixTime dropAt = DropAt(record, wall);
        PublicKey slot = (record as SignedRecord)?.Device ?? default;
        bool isNew = _targets.GetValueOrDefault(target) is not { } records
            || (record is RevocationRecord ? records.Revocation : records.Find(slot)) is null;
        if (dropAt > wall && isNew && HasRoom(_targets.GetValueOrDefault(target), OwnerOf(record), sourceUnit, target))
        {
            Keep(new StoredRecord(record, slot, sourceUnit, dropAt), null, target);
        }
    }

    private static TrustId OwnerOf(DhtRecord record) => record switch
    {
        SignedRecord signed => signed.Owner,
        RevocationRecord revocation => revocation.Revocation.TrustId,
        _ => default,
    };

    private static bool HasRecordOf(TargetRecords? records, TrustId owner) =>
        !owner.IsNone && records is { Slots.Count: > 0 } && OwnerOf(records.Slots[0].Record) == owner;

    private static UnixTime DropAt(DhtRecord record, UnixTime wall) => record is SignedRecord signed ? signed.Expiry : wall + ImmutableLifetime;

    private static PutOutcome CheckSequence(DhtRecord record, StoredRecord? kept, ulong? expected)
    {
        (ulong now, ulong before) = (record, kept?.Record) switch
        {
            (SignedRecord signed, SignedRecord old) => (signed.Sequence, old.Sequence),
            (RevocationRecord revocation, RevocationRecord old) => (revocation.Revocation.SerialFloor, old.Revocation.SerialFloor),
            _ => (0UL, 0UL),
        };
        if (record is SignedRecord && expected is { } wanted && wanted != before)
        {
            return PutOutcome.SequenceMismatch;
        }

        return kept is not null && now <= before ? PutOutcome.StaleSequence : PutOutcome.Stored;
    }

    private static PutOutcome OutcomeOf(RecordVerdict verdict) => verdict switch
    {
        RecordVerdict.Revoked => PutOutcome.Revoked,
        RecordVerdict.Expired or RecordVerdict.ExpiresTooLate => PutOutcome.Expired,
        _ => PutOutcome.Invalid,
    };

    /// <summary>Quotas first, then room in all: only a target farther than this one gives way.</summary>
    private bool HasRoom(TargetRecords? records, TrustId owner, Endpoint unit, DhtKey target)
    {
        if (records?.Slots.Count >= MaxDevicesOfTarget
            || (!owner.IsNone && _owners.GetValueOrDefault(owner).Records >= MaxRecordsOfOwner)
            || (!unit.IsNone && _sources.GetValueOrDefault(unit) >= MaxRecordsOfSource))
        {
            return false;
        }

        bool isFull = Count >= MaxRecords || TotalBytes > MaxTotalBytes - DhtRecord.MaxBytes;
        return !isFull || _byDistance.Max.DistanceTo(_centre) > target.DistanceTo(_centre);
    }

    private void Keep(StoredRecord stored, StoredRecord? kept, DhtKey target)
    {
        while (kept is null && (Count >= MaxRecords || TotalBytes > MaxTotalBytes - DhtRecord.MaxBytes))
        {
            DropWhere(_targets[_byDistance.Max], static _ => true);
        }

        ref TargetRecords? records = ref CollectionsMarshal.GetValueRefOrAddDefault(_targets, target, out bool existed);
        if (!existed)
        {
            records = new TargetRecords(target);
            _ = _byDistance.Add(target);
        }

        Replace(kept, stored, records!);
        if (stored.Record is RevocationRecord { Revocation: { } revocation })
        {
            Raise(revocation.TrustId, revocation.SerialFloor);
        }
    }

    private void Replace(StoredRecord? kept, StoredRecord stored, TargetRecords records)
    {
        Account(stored, 1); // first, so that an owner with one record is not forgotten in between
        Account(kept, -1);
        if (stored.Record is RevocationRecord)
        {
            records.Revocation = stored;
        }
        else
        {
            records.Set(stored);
        }
    }

    /// <summary>Takes up a new floor and drops the owner's records below it, at every target.</summary>
    private void Raise(TrustId id, ulong serialFloor)
    {
        ref Owner owner = ref CollectionsMarshal.GetValueRefOrAddDefault(_owners, id, out _);
        owner.SerialFloor = Math.Max(owner.SerialFloor, serialFloor);
        List<TargetRecords> dead = [];
        foreach (TargetRecords records in _targets.Values)
        {
            if (HasRecordOf(records, id))
            {
                dead.Add(records);
            }
        }

        foreach (TargetRecords records in dead)
        {
            DropWhere(records, stored => stored.Record is SignedRecord signed && signed.Delegation.Serial < serialFloor);
        }
    }

    private void DropWhere(TargetRecords records, Func<StoredRecord, bool> isDead)
    {
        for (int i = records.Slots.Count - 1; i >= 0; i--)
        {
            if (isDead(records.Slots[i]))
            {
                Account(records.Slots[i], -1);
                records.Slots.RemoveAt(i);
            }
        }

        if (records.Revocation is { } revocation && isDead(revocation))
        {
            Account(revocation, -1);
            records.Revocation = null;
        }

        if (records.IsEmpty)
        {
            _ = _targets.Remove(records.Target);
            _ = _byDistance.Remove(records.Target);
        }
    }

    private void Account(StoredRecord? stored, int sign)
    {
        if (stored is null)
        {
            return;
        }

        Count += sign;
        TotalBytes += sign * stored.Record.Encoded.Length;
        TrustId id = OwnerOf(stored.Record);
        if (!id.IsNone)
        {
            ref Owner owner = ref CollectionsMarshal.GetValueRefOrAddDefault(_owners, id, out _);
            owner.Records += sign;
            if (owner.Records == 0 && sign < 0)
            {
                _ = _owners.Remove(id);
            }
        }

        if (!stored.SourceUnit.IsNone)
        {
            ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(_sources, stored.SourceUnit, out _);
            count += sign;
            if (count == 0)
            {
                _ = _sources.Remove(stored.SourceUnit);
            }
        }
    }

    private struct Owner
    {
        public int Records;
        public ulong SerialFloor;
    }

    private sealed class FromCentre(DhtKey centre) : IComparer<DhtKey>
    {
        public int Compare(DhtKey x, DhtKey y) => x.DistanceTo(centre).CompareTo(y.DistanceTo(centre));
    }
}
