using System.Collections.Immutable;
using Carrier.Chain.Access;
using Carrier.Chain.Primitives;
using Carrier.Chain.Scanning;
using Carrier.Core.Identity;

namespace Carrier.Chain.Registry;

/// <summary>Who is registered and who owns which name, from records fed block after block. Pure: the same records always give the same answers.</summary>
/// <remarks>
/// Names: a reveal takes a free name when its signer committed to it at least <see cref="MinCommitDepth"/> and at most <see cref="MaxCommitDepth"/> blocks before; of two, the
/// first on the chain. It is owned for <see cref="PeriodBlocks"/>; renewing adds a period, up to <see cref="MaxPeriods"/> ahead; at its expiry height it is free.
/// </remarks>
public sealed class RegistryIndex : IScanIndex
{
    /// <summary>Blocks between commitment and reveal, at least: nobody who sees the reveal can have committed in time.</summary>
    public const uint MinCommitDepth = 3;

    /// <summary>A commitment that old is expired: about two weeks.</summary>
    public const uint MaxCommitDepth = 10_080;

    /// <summary>A year of blocks.</summary>
    public const uint PeriodBlocks = 262_800;

    /// <summary>How far ahead a name can be paid for.</summary>
    public const uint MaxPeriods = 5;

    private readonly List<RegistryProof> _log = [];
    private readonly Dictionary<TrustId, Registration> _identities = [];
    private readonly Dictionary<string, NameEntry> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<(TrustId Owner, Hash256 Commitment), RegistryProof> _commitments = [];

    public uint ScannedTo { get; private set; }

    /// <summary>Every record that had an effect or might have, in the chain's order.</summary>
    public IReadOnlyList<RegistryProof> Log => _log;

    /// <summary>An index of just these records, which must be in the chain's order: what a third party makes of a proof.</summary>
    public static RegistryIndex Of(IEnumerable<RegistryProof> proofs)
    {
        var index = new RegistryIndex();
        foreach (IGrouping<uint, RegistryProof> block in proofs.GroupBy(proof => proof.Height))
        {
            index.Apply(block.Key, block);
        }

        return index;
    }

    public bool Wants(ProvedTransaction transaction) => RegistryProof.From(transaction) is not null;

    public void Apply(uint height, IReadOnlyList<ProvedTransaction> transactions) => Apply(height, transactions.Select(RegistryProof.From).OfType<RegistryProof>());

    /// <summary>Takes the records of the next block, in its order.</summary>
    public void Apply(uint height, IEnumerable<RegistryProof> records)
    {
        ArgumentNullException.ThrowIfNull(records);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, ScannedTo);
        foreach (RegistryProof proof in records)
        {
            _log.Add(proof);
            Apply(proof);
        }

        ScannedTo = height;
    }

    public void Rewind(uint height)
    {
        RegistryProof[] kept = [.. _log.Where(proof => proof.Height <= height)];
        _log.Clear();
        _identities.Clear();
        _names.Clear();
        _commitments.Clear();
        ScannedTo = 0;
        foreach (RegistryProof proof in kept)
        {
            _log.Add(proof);
            Apply(proof);
        }

        ScannedTo = height;
    }

    /// <summary>Whether a TrustID is registered, with the proof and its height; null when no record of it was seen up to <see cref="ScannedTo"/>.</summary>
    public Registration? Exists(TrustId id) => _identities.TryGetValue(id, out Registration? registration) ? registration : null;

    /// <summary>Who owns a name at a height; null when it is free.</summary>
    public NameEntry? Resolve(string name, uint height) => _names.TryGetValue(name, out NameEntry? entry) && height < entry.Expiry ? entry : null;

    /// <summary>Every name somebody owns at a height, in ordinal order.</summary>
    public IEnumerable<NameEntry> NamesOf(TrustId owner, uint height) =>
        _names.Values.Where(entry => entry.Owner == owner && height < entry.Expiry).OrderBy(entry => entry.Name, StringComparer.Ordinal);

    /// <summary>The height of a commitment that no reveal has used; null when there is none.</summary>
    public uint? CommittedAt(TrustId owner, Hash256 commitment) => _commitments.TryGetValue((owner, commitment), out RegistryProof? proof) ? proof.Height : null;

    private void Apply(RegistryProof proof)
    {
        RegistryRecord record = proof.Record;
        switch (record.Kind)
        {
            case RegistryRecordKind.Register:
                _identities[proof.Author] = Exists(proof.Author) is { } before ? before with { Proof = proof } : new Registration(proof, proof, null);
                break;
            case RegistryRecordKind.Revoke when Exists(proof.Author) is { } registered:
                ulong floor = registered.Revocation?.Record.SerialFloor ?? 0;
                _identities[proof.Author] = record.SerialFloor > floor ? registered with { Revocation = proof } : registered; // a floor never falls
                break;
            case RegistryRecordKind.Commit:
                _ = _commitments.TryAdd((proof.Author, record.Hash), proof);
                break;
            case RegistryRecordKind.Reveal:
                Reveal(proof);
                break;
            case RegistryRecordKind.Renew when Resolve(record.Name, proof.Height) is { } owned && owned.Owner == proof.Author:
                uint expiry = Math.Min(owned.Expiry + PeriodBlocks, proof.Height + (MaxPeriods * PeriodBlocks));
                _names[record.Name] = owned with { Expiry = Math.Max(owned.Expiry, expiry), Proofs = owned.Proofs.Add(proof) };
                break;
            case RegistryRecordKind.Transfer when Resolve(record.Name, proof.Height) is { } owned && owned.Owner == proof.Author:
                _names[record.Name] = owned with { Owner = record.NewOwner, Proofs = owned.Proofs.Add(proof) };
                break;
            default:
                break;
        }
    }

    private void Reveal(RegistryProof proof)
    {
        (TrustId, Hash256) commitment = (proof.Author, RegistryRecord.Commitment(proof.Author, proof.Record.Hash, proof.Record.Name));
        bool isRipe = _commitments.TryGetValue(commitment, out RegistryProof? made) && proof.Height >= made.Height + MinCommitDepth && proof.Height <= made.Height + MaxCommitDepth;
        if (isRipe && Resolve(proof.Record.Name, proof.Height) is null)
        {
            _names[proof.Record.Name] = new NameEntry(proof.Record.Name, proof.Author, proof.Height + PeriodBlocks, [made!, proof]);
            _ = _commitments.Remove(commitment); // used up: an expired name wants a new one
        }
    }
}

/// <summary>A registered TrustID.</summary>
/// <param name="First">Its first registration: only after it a revocation counts.</param>
/// <param name="Proof">Its newest registration.</param>
/// <param name="Revocation">Its highest revocation, if any.</param>
public sealed record Registration(RegistryProof First, RegistryProof Proof, RegistryProof? Revocation)
{
    public Hash256 DelegationRoot => Proof.Record.Hash;

    /// <summary>All that is behind it, in the chain's order. Replayed in another index they give the same registration.</summary>
    public IReadOnlyCollection<RegistryProof> Proofs =>
        [.. new[] { First, Proof, Revocation }.OfType<RegistryProof>().Distinct().OrderBy(proof => proof.Height).ThenBy(proof => proof.Proved.Branch.Index)];

    public uint Height => Proof.Height;

    /// <summary>Delegations with a serial below it are dead.</summary>
    public ulong SerialFloor => Revocation?.Record.SerialFloor ?? 0;
}

/// <summary>An owned name.</summary>
/// <param name="Expiry">The first height at which it is free.</param>
/// <param name="Proofs">Why: the commitment, its reveal, then every renewal and transfer since. Replayed in another index they give the same entry.</param>
public sealed record NameEntry(string Name, TrustId Owner, uint Expiry, ImmutableList<RegistryProof> Proofs)
{
    /// <summary>The reveal that took it.</summary>
    public RegistryProof Registered => Proofs[1];
}
