using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;
using NSec.Cryptography;
using PublicKey = Carrier.Core.Crypto.PublicKey;

namespace Carrier.Dht.Records;

/// <summary>A value a device says in its owner's name, replaced by a later one with a higher sequence.</summary>
/// <remarks>
/// <code>
/// 0   kind         1
/// 1   value        bytes, at most 900
/// 2   delegation   bytes: docs/protocol.md §3; must permit records
/// 3   salt         bytes, 1 to 32; absent for none
/// 4   sequence     unsigned; a store never goes back
/// 5   expiry       unsigned, Unix seconds; at most two hours ahead
/// 6…22             skipped, but signed
/// 23  signature    bytes, 64: Ed25519 by the delegation's signing key
///
/// signed   = context "dht record v1" (docs/protocol.md §3) ‖ the map's bytes before key 23
/// target   = TrustID, or with a salt BLAKE2b-256("carrier salted record" ‖ TrustID ‖ salt), first 20 bytes
/// </code>
/// The signature key comes last, so a later version may add fields that older nodes keep, return and verify without knowing them.
/// One target has one slot a device: the signing key names it.
/// </remarks>
public sealed class SignedRecord : DhtRecord
{
    /// <summary>What always fits, whatever the delegation, salt and sequence.</summary>
    public const int MaxValueBytes = 900;

    public const int MaxSaltBytes = 32;

    /// <summary>How far ahead an expiry may lie: a record must be renewed to stay, and a mistake heals by itself.</summary>
    public static readonly TimeSpan MaxLifetime = TimeSpan.FromHours(2);

    /// <summary>How far two honest wall clocks may differ.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    private const int SignatureKey = 23;

    private static readonly SignatureContext Context = new("dht record v1");

    private readonly int _signedBytes;
    private bool? _signatureIsValid;

    private SignedRecord(byte[] encoded, int signedBytes, Delegation delegation, in Fields fields)
        : base(encoded)
    {
        _signedBytes = signedBytes;
        Delegation = delegation;
        Value = fields.Value.ToArray();
        Salt = fields.Salt.ToArray();
        Sequence = fields.Sequence;
        Expiry = fields.Expiry;
        Target = TargetOf(delegation.TrustId, fields.Salt);
    }

    public override RecordKind Kind => RecordKind.Mutable;

    public override DhtKey Target { get; }

    public Delegation Delegation { get; private set; }

    public TrustId Owner => Delegation.TrustId;

    /// <summary>Which device of the owner speaks: its slot.</summary>
    public PublicKey Device => Delegation.SigningKey;

    public ReadOnlyMemory<byte> Value { get; }

    public ReadOnlyMemory<byte> Salt { get; }

    public ulong Sequence { get; }

    public UnixTime Expiry { get; }

    /// <summary>Where records of an owner with this salt belong; with an empty salt the TrustID itself.</summary>
    public static DhtKey TargetOf(TrustId owner, ReadOnlySpan<byte> salt)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(salt.Length, MaxSaltBytes, nameof(salt));
        if (salt.IsEmpty)
        {
            return TargetOf(owner);
        }

        ReadOnlySpan<byte> domain = "carrier salted record"u8;
        Span<byte> input = stackalloc byte[domain.Length + TrustId.Bytes + MaxSaltBytes];
        domain.CopyTo(input);
        owner.CopyTo(input[domain.Length..]);
        salt.CopyTo(input[(domain.Length + TrustId.Bytes)..]);
        Span<byte> hash = stackalloc byte[HashAlgorithm.Blake2b_256.HashSize];
        HashAlgorithm.Blake2b_256.Hash(input[..(domain.Length + TrustId.Bytes + salt.Length)], hash);
        return new DhtKey(hash[..DhtKey.Bytes]);
    }

    /// <summary>Signs a record with a device's keys; the delegation must be that device's.</summary>
    public static SignedRecord Sign(
        DeviceKeys device, Delegation delegation, ReadOnlySpan<byte> salt, ulong sequence, UnixTime expiry, ReadOnlySpan<byte> value)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(delegation);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(salt.Length, MaxSaltBytes, nameof(salt));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value.Length, MaxValueBytes, nameof(value));
        ArgumentOutOfRangeException.ThrowIfNegative(expiry.Seconds, nameof(expiry));
        CborWriter writer = new(stackalloc byte[MaxBytes]);
        writer.WriteMap(salt.IsEmpty ? 6 : 7);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)RecordKind.Mutable);
        writer.WriteUInt(1);
        writer.WriteBytes(value);
        writer.WriteUInt(2);
        writer.WriteBytes(delegation.Encoded.Span);
        if (!salt.IsEmpty)
        {
            writer.WriteUInt(3);
            writer.WriteBytes(salt);
        }

        writer.WriteUInt(4);
        writer.WriteUInt(sequence);
        writer.WriteUInt(5);
        writer.WriteUInt((ulong)expiry.Seconds);
        Span<byte> signature = stackalloc byte[DeviceKeys.SignatureBytes];
        int signedBytes = writer.Written;
        device.Sign(Context, writer.Encoded, signature);
        writer.WriteUInt(SignatureKey);
        writer.WriteBytes(signature);
        return new SignedRecord(writer.Encoded.ToArray(), signedBytes, delegation, new Fields(value, salt, sequence, expiry));
    }

    public override RecordVerdict Verify(UnixTime now, ulong serialFloor)
    {
        if (Expiry <= now)
        {
            return RecordVerdict.Expired;
        }

        if (Expiry > now + MaxLifetime + ClockTolerance)
        {
            return RecordVerdict.ExpiresTooLate;
        }

        if (!Delegation.Permits(DelegationUses.Records))
        {
            return RecordVerdict.NotDelegated;
        }

        RecordVerdict verdict = Delegation.Verify(now, serialFloor) switch
        {
            DelegationVerdict.Valid => RecordVerdict.Valid,
            DelegationVerdict.Revoked => RecordVerdict.Revoked,
            DelegationVerdict.Expired => RecordVerdict.Expired,
            DelegationVerdict.NotYetValid => RecordVerdict.NotDelegated,
            _ => RecordVerdict.BadSignature,
        };
        return verdict != RecordVerdict.Valid || (_signatureIsValid ??= IsSigned()) ? verdict : RecordVerdict.BadSignature;
    }

    /// <summary>Takes over a delegation known to be the same, and with it what was found out about its signature.</summary>
    internal void ShareDelegation(Delegation? known)
    {
        if (known is not null && known.Encoded.Span.SequenceEqual(Delegation.Encoded.Span))
        {
            Delegation = known;
        }
    }

    internal static SignedRecord? ParseRest(ReadOnlySpan<byte> encoded, CborReader reader, int pairs)
    {
        Fields fields = default;
        ReadOnlySpan<byte> delegationBytes = default;
        int key = 0;
        int required = 0;
        for (int i = 0; i < pairs - 1; i++)
        {
            bool read = reader.TryReadKey(ref key) && key < SignatureKey && key switch
            {
                1 => reader.TryReadBytes(out fields.Value) && fields.Value.Length <= MaxValueBytes,
                2 => reader.TryReadBytes(out delegationBytes),
                3 => reader.TryReadBytes(out fields.Salt) && fields.Salt.Length is > 0 and <= MaxSaltBytes,
                4 => reader.TryReadUInt(out fields.Sequence),
                5 => TryReadExpiry(ref reader, out fields.Expiry),
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return null;
            }

            required += key is 1 or 2 or 4 or 5 ? 1 : 0;
        }

        int signedBytes = encoded.Length - reader.Rest.Length;
        return required == 4
            && reader.TryReadKey(ref key) && key == SignatureKey
            && reader.TryReadBytes(DeviceKeys.SignatureBytes, out _)
            && reader.AtEnd
            && Delegation.TryParse(delegationBytes, out Delegation? delegation)
            ? new SignedRecord(encoded.ToArray(), signedBytes, delegation, fields)
            : null;
    }

    private static bool TryReadExpiry(ref CborReader reader, out UnixTime expiry)
    {
        bool read = reader.TryReadUInt(out ulong seconds) && seconds <= uint.MaxValue;
        expiry = new UnixTime((long)(read ? seconds : 0));
        return read;
    }

    private bool IsSigned() => DeviceKeys.Verify(
        Device, Context, Encoded.Span[.._signedBytes], Encoded.Span[^DeviceKeys.SignatureBytes..]);

    private ref struct Fields(ReadOnlySpan<byte> value, ReadOnlySpan<byte> salt, ulong sequence, UnixTime expiry)
    {
        public ReadOnlySpan<byte> Value = value;
        public ReadOnlySpan<byte> Salt = salt;
        public ulong Sequence = sequence;
        public UnixTime Expiry = expiry;
    }
}
