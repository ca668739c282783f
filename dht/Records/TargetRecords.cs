using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Records;

/// <summary>Everything kept under one target: a slot a device, in the order of the devices' keys, and the owner's revocation.</summary>
internal sealed class TargetRecords(DhtKey target)
{
    public DhtKey Target { get; } = target;

    /// <summary>Ordered by <see cref="StoredRecord.Slot"/>, so that a cursor means the same page to every reader.</summary>
    public List<StoredRecord> Slots { get; } = [];

    public StoredRecord? Revocation { get; set; }

    public bool IsEmpty => Slots.Count == 0 && Revocation is null;

    public StoredRecord? Find(in PublicKey slot)
    {
        int at = IndexOf(slot);
        return at < Slots.Count && Slots[at].Slot == slot ? Slots[at] : null;
    }

    public void Set(StoredRecord stored)
    {
        int at = IndexOf(stored.Slot);
        if (at < Slots.Count && Slots[at].Slot == stored.Slot)
        {
            Slots[at] = stored;
        }
        else
        {
            Slots.Insert(at, stored);
        }
    }

    /// <summary>The first slot at or after this key.</summary>
    public int IndexOf(in PublicKey slot)
    {
        int at = 0;
        while (at < Slots.Count && Slots[at].Slot.Span.SequenceCompareTo(slot.Span) < 0)
        {
            at++;
        }

        return at;
    }
}

/// <summary>A record in the store.</summary>
/// <param name="Record">Verified when it came.</param>
/// <param name="Slot">The device's signing key; all zeros for an immutable record or a revocation.</param>
/// <param name="SourceUnit">Who put it there first, and is charged for it.</param>
/// <param name="DropAt">When it leaves the store.</param>
internal sealed record StoredRecord(DhtRecord Record, PublicKey Slot, Endpoint SourceUnit, UnixTime DropAt);
