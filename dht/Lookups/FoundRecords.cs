using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Lookups;

/// <summary>What a get has found so far: verified, the latest of each device, without what a revocation killed.</summary>
internal sealed class FoundRecords(DhtKey target)
{
    /// <summary>More devices than a store keeps, since stores may differ.</summary>
    public const int MaxDevices = 2 * RecordStore.MaxDevicesOfTarget;

    /// <summary>A target has one owner; a liar may bring genuine revocations of others.</summary>
    private const int MaxRevocations = 4;

    private readonly Dictionary<PublicKey, SignedRecord> _signed = [];
    private readonly Dictionary<TrustId, RevocationRecord> _revocations = [];
    private ImmutableRecord? _immutable;

    /// <summary>Takes a record a node returned. A lie proves that node to misbehave; being out of date does not.</summary>
    /// <param name="record">As it was returned.</param>
    /// <param name="now">For what expires.</param>
    /// <param name="own">The delegation this device publishes by, which it need not verify.</param>
    public Offer Add(DhtRecord record, UnixTime now, Delegation? own = null)
    {
        if (record is RevocationRecord revocation)
        {
            return Add(revocation, now);
        }

        if (record.Target != target)
        {
            return Offer.Lie;
        }

        if (record is ImmutableRecord immutable)
        {
            bool isNew = _immutable is null;
            _immutable = immutable;
            return isNew ? Offer.New : Offer.Known;
        }

        var signed = (SignedRecord)record;
        if (_signed.TryGetValue(signed.Device, out SignedRecord? known))
        {
            if (signed.Sequence <= known.Sequence)
            {
                return signed.Encoded.Span.SequenceEqual(known.Encoded.Span) ? Offer.Known : Offer.Stale;
            }

            signed.ShareDelegation(known.Delegation);
        }
        else if (_signed.Count < MaxDevices)
        {
            signed.ShareDelegation(own);
        }
        else
        {
            return Offer.Stale;
        }

        switch (signed.Verify(now, FloorOf(signed.Owner)))
        {
            case RecordVerdict.Valid:
                _signed[signed.Device] = signed;
                return Offer.New;
            case RecordVerdict.BadSignature:
                return Offer.Lie;
            default:
                return Offer.Stale;
        }
    }

    public SignedRecord? Of(in PublicKey device) => _signed.GetValueOrDefault(device);

    public List<DhtRecord> ToList()
    {
        List<DhtRecord> all = [.. _signed.Values];
        foreach (RevocationRecord revocation in _revocations.Values)
        {
            if (revocation.Target == target || all.Exists(record => ((SignedRecord)record).Owner == revocation.Revocation.TrustId))
            {
                all.Add(revocation);
            }
        }

        if (_immutable is not null)
        {
            all.Add(_immutable);
        }

        return all;
    }

    private ulong FloorOf(TrustId owner) => _revocations.GetValueOrDefault(owner)?.Revocation.SerialFloor ?? 0;

    private Offer Add(RevocationRecord record, UnixTime now)
    {
        TrustId owner = record.Revocation.TrustId;
        bool isKnown = _revocations.TryGetValue(owner, out RevocationRecord? known);
        if (isKnown && known!.Revocation.SerialFloor >= record.Revocation.SerialFloor)
        {
            return Offer.Stale;
        }

        if (!isKnown && _revocations.Count >= MaxRevocations)
        {
            return Offer.Stale;
        }

        if (record.Verify(now, 0) != RecordVerdict.Valid)
        {
            return Offer.Lie;
        }

        _revocations[owner] = record;
        foreach (SignedRecord signed in _signed.Values.ToArray())
        {
            if (signed.Owner == owner && signed.Delegation.Serial < record.Revocation.SerialFloor)
            {
                _ = _signed.Remove(signed.Device);
            }
        }

        return Offer.New;
    }
}

internal enum Offer
{
    New,
    Known,

    /// <summary>Genuine perhaps, but older than what is known, expired or revoked.</summary>
    Stale,

    /// <summary>Forged, or not of this target.</summary>
    Lie,
}
