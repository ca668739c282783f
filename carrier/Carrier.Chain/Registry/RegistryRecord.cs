using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Chain.Registry;

/// <summary>What a Record transaction says to the registry: about the TrustID that signed it, or about a name.</summary>
/// <remarks>
/// <code>
///  type "carrier-id"      01 | 01 register   delegation root 32
///                         01 | 02 revoke     serial floor 8, little-endian
///  type "carrier-name"    01 | 01 commit     commitment 32
///                         01 | 02 reveal     salt 32 | name
///                         01 | 03 renew      name
///                         01 | 04 transfer   new owner 20 | name
///
///  commitment = SHA256( "carrier-name v1" 00 | owner 20 | salt 32 | name )          name: length 1, then 3 to 63 of a–z 0–9 -, to the end
/// </code>
/// A record with another version, kind or length says nothing.
/// </remarks>
public sealed record RegistryRecord(RegistryRecordKind Kind, Hash256 Hash = default, ulong SerialFloor = 0, string Name = "", TrustId NewOwner = default)
{
    private const byte Version = 1;
    private const int HeaderBytes = 2;

    private static ReadOnlySpan<byte> IdentityType => "carrier-id"u8;

    private static ReadOnlySpan<byte> NameType => "carrier-name"u8;

    /// <summary>The commitment that hides a name until it is revealed.</summary>
    public static Hash256 Commitment(TrustId owner, Hash256 salt, string name)
    {
        var writer = new ByteWriter();
        writer.WriteSpan("carrier-name v1\0"u8);
        Span<byte> id = stackalloc byte[TrustId.Bytes];
        owner.CopyTo(id);
        writer.WriteSpan(id);
        writer.WriteHash(salt);
        RegistryName.Write(writer, name);
        return Hash256.Sha256(writer.Written);
    }

    /// <summary>The root a registration commits to: SHA-256 over the SHA-256 of each of the owner's delegations, sorted.</summary>
    public static Hash256 DelegationRoot(params IEnumerable<ReadOnlyMemory<byte>> delegations)
    {
        byte[][] leaves = [.. delegations.Select(delegation => SHA256.HashData(delegation.Span))];
        Array.Sort(leaves, (left, right) => left.AsSpan().SequenceCompareTo(right));
        return Hash256.Sha256(leaves.SelectMany(leaf => leaf).ToArray());
    }

    public static bool TryRead(Transaction transaction, [NotNullWhen(true)] out RegistryRecord? record)
    {
        record = null;
        if (!RecordPayload.TryRead(transaction, out RecordPayload payload) || payload.Content.Length < HeaderBytes || payload.Content.Span[0] != Version)
        {
            return false;
        }

        var reader = new ByteReader(payload.Content.Span[HeaderBytes..]);
        byte kind = payload.Content.Span[1];
        record = payload.Type.Span.SequenceEqual(IdentityType) ? ReadIdentity(kind, ref reader)
            : payload.Type.Span.SequenceEqual(NameType) ? ReadName(kind, ref reader)
            : null;
        record = reader.AtEnd ? record : null;
        return record is not null;
    }

    public RecordPayload ToPayload()
    {
        var writer = new ByteWriter();
        writer.WriteByte(Version);
        bool isIdentity = Kind is RegistryRecordKind.Register or RegistryRecordKind.Revoke;
        writer.WriteByte((byte)(isIdentity ? (int)Kind : (int)Kind - (int)RegistryRecordKind.Commit + 1));
        switch (Kind)
        {
            case RegistryRecordKind.Register or RegistryRecordKind.Commit:
                writer.WriteHash(Hash);
                break;
            case RegistryRecordKind.Revoke:
                writer.WriteUInt64(SerialFloor);
                break;
            case RegistryRecordKind.Reveal:
                writer.WriteHash(Hash);
                RegistryName.Write(writer, Name);
                break;
            case RegistryRecordKind.Transfer:
                Span<byte> owner = stackalloc byte[TrustId.Bytes];
                NewOwner.CopyTo(owner);
                writer.WriteSpan(owner);
                RegistryName.Write(writer, Name);
                break;
            default:
                RegistryName.Write(writer, Name);
                break;
        }

        return new RecordPayload((isIdentity ? IdentityType : NameType).ToArray(), writer.ToArray());
    }

    private static RegistryRecord? ReadIdentity(byte kind, ref ByteReader reader)
    {
        switch (kind)
        {
            case 1 when reader.TryReadHash(out Hash256 root):
                return new RegistryRecord(RegistryRecordKind.Register, root);
            case 2 when reader.TryReadUInt64(out ulong floor):
                return new RegistryRecord(RegistryRecordKind.Revoke, SerialFloor: floor);
            default:
                return null;
        }
    }

    private static RegistryRecord? ReadName(byte kind, ref ByteReader reader)
    {
        switch (kind)
        {
            case 1 when reader.TryReadHash(out Hash256 commitment):
                return new RegistryRecord(RegistryRecordKind.Commit, commitment);
            case 2 when reader.TryReadHash(out Hash256 salt) && RegistryName.TryRead(ref reader, out string revealed):
                return new RegistryRecord(RegistryRecordKind.Reveal, salt, Name: revealed);
            case 3 when RegistryName.TryRead(ref reader, out string renewed):
                return new RegistryRecord(RegistryRecordKind.Renew, Name: renewed);
            case 4 when reader.TryReadSpan(TrustId.Bytes, out ReadOnlySpan<byte> owner) && RegistryName.TryRead(ref reader, out string given):
                return new RegistryRecord(RegistryRecordKind.Transfer, Name: given, NewOwner: new TrustId(owner));
            default:
                return null;
        }
    }
}

/// <summary>The kinds of registry records.</summary>
public enum RegistryRecordKind
{
    /// <summary>The signer exists, and these are its delegations.</summary>
    Register = 1,

    /// <summary>The signer's delegations below a serial are dead.</summary>
    Revoke = 2,
    Commit = 3,
    Reveal = 4,
    Renew = 5,
    Transfer = 6,
}
