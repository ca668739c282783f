using System.Diagnostics.CodeAnalysis;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Core.Identity;

/// <summary>The owner's word that a device speaks for its TrustID, for a time and for some uses. Immutable.</summary>
/// <remarks>
/// CBOR <c>[body, signature]</c>; the signature is the owner's, ECDSA P-256 over <c>FF FF "carrier delegation v1" 00 ‖ body</c>.
/// <code>
///  body = map
///   0  version         uint      1
///   1  owner key       bytes 33  P-256, compressed
///   2  signing key     bytes 32  Ed25519
///   3  exchange key    bytes 32  X25519
///   4  serial          uint      a revocation names the lowest one still alive
///   5  not before      uint      seconds since 1970, first valid second
///   6  not after       uint      last valid second, >= not before
///   7  uses            uint      bits of DelegationUses; unknown bits are kept and grant nothing known
///   8… unknown keys    any       skipped, covered by the signature
/// </code>
/// At most 220 bytes.
/// </remarks>
public sealed class Delegation
{
    public const int MaxBytes = OwnerStatement.MaxBytes;

    private const int Version = 1;
    private const int KnownKeys = 8;
    private const int MaxBodyBytes = 160;

    private static readonly SignatureContext Context = new("delegation v1");

    private readonly byte[] _encoded;
    private bool? _signatureIsValid;

    private Delegation(byte[] encoded, in DelegationFields fields)
    {
        _encoded = encoded;
        OwnerPublicKey = fields.Owner;
        TrustId = fields.Owner.TrustId;
        SigningKey = fields.SigningKey;
        ExchangeKey = fields.ExchangeKey;
        Serial = fields.Serial;
        NotBefore = fields.NotBefore;
        NotAfter = fields.NotAfter;
        Uses = fields.Uses;
    }

    public ReadOnlyMemory<byte> Encoded => _encoded;

    public TrustId TrustId { get; }

    public OwnerPublicKey OwnerPublicKey { get; }

    public PublicKey SigningKey { get; }

    public PublicKey ExchangeKey { get; }

    public ulong Serial { get; }

    public UnixTime NotBefore { get; }

    public UnixTime NotAfter { get; }

    public DelegationUses Uses { get; }

    public static Delegation Issue(
        OwnerKey owner, DeviceKeys device, ulong serial, UnixTime notBefore, UnixTime notAfter, DelegationUses uses)
    {
        ArgumentNullException.ThrowIfNull(device);
        return Issue(owner, device.SigningKey, device.ExchangeKey, serial, notBefore, notAfter, uses);
    }

    /// <summary>Signs a delegation for a device known by its public keys: the owner's key may be on another machine.</summary>
    public static Delegation Issue(
        OwnerKey owner, PublicKey signingKey, PublicKey exchangeKey, ulong serial, UnixTime notBefore, UnixTime notAfter, DelegationUses uses)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentOutOfRangeException.ThrowIfNegative(notBefore.Seconds, nameof(notBefore));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(notBefore, notAfter);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(notAfter, OwnerStatement.MaxTime);

        var body = new CborWriter(stackalloc byte[MaxBodyBytes]);
        body.WriteMap(KnownKeys);
        body.WriteUInt(0);
        body.WriteUInt(Version);
        body.WriteUInt(1);
        body.WriteBytes(owner.PublicKey.Span);
        body.WriteUInt(2);
        body.WriteBytes(signingKey.Span);
        body.WriteUInt(3);
        body.WriteBytes(exchangeKey.Span);
        body.WriteUInt(4);
        body.WriteUInt(serial);
        body.WriteUInt(5);
        body.WriteUInt((ulong)notBefore.Seconds);
        body.WriteUInt(6);
        body.WriteUInt((ulong)notAfter.Seconds);
        body.WriteUInt(7);
        body.WriteUInt((ulong)uses);
        byte[] encoded = OwnerStatement.Seal(owner, Context, body.Encoded);
        return TryParse(encoded, out Delegation? delegation) ? delegation : throw new InvalidOperationException("A delegation did not read back.");
    }

    /// <summary>Reads the structure and nothing more: whether it is signed and in force is for <see cref="Verify"/> to say.</summary>
    public static bool TryParse(ReadOnlySpan<byte> encoded, [NotNullWhen(true)] out Delegation? delegation)
    {
        delegation = OwnerStatement.TryOpen(encoded, out ReadOnlySpan<byte> body, out _) && TryReadBody(body, out DelegationFields fields)
            ? new Delegation(encoded.ToArray(), fields)
            : null;
        return delegation is not null;
    }

    /// <summary>Whether the device may speak for the TrustID now. The signature is checked once and remembered; the rest every time.</summary>
    /// <param name="now">Wall-clock time. An issuer whose clock may be ahead dates <see cref="NotBefore"/> back.</param>
    /// <param name="serialFloor">The highest <see cref="Revocation.SerialFloor"/> known of this TrustID; zero when none is.</param>
    public DelegationVerdict Verify(UnixTime now, ulong serialFloor)
    {
        if (!(_signatureIsValid ??= IsSigned()))
        {
            return DelegationVerdict.BadSignature;
        }

        if (Serial < serialFloor)
        {
            return DelegationVerdict.Revoked;
        }

        if (now < NotBefore)
        {
            return DelegationVerdict.NotYetValid;
        }

        return now <= NotAfter ? DelegationVerdict.Valid : DelegationVerdict.Expired;
    }

    /// <summary>Takes the signature for good: the delegation comes out of our own keystore, which nobody else writes.</summary>
    internal void TrustSignature() => _signatureIsValid = true;

    /// <summary>Whether every one of <paramref name="uses"/> is granted.</summary>
    public bool Permits(DelegationUses uses) => (Uses & uses) == uses;

    private bool IsSigned() =>
        OwnerStatement.TryOpen(_encoded, out ReadOnlySpan<byte> body, out ReadOnlySpan<byte> signature)
        && OwnerPublicKey.Verify(Context, body, signature);

    private static bool TryReadBody(ReadOnlySpan<byte> body, out DelegationFields fields)
    {
        fields = default;
        var reader = new CborReader(body);
        if (!reader.TryReadMap(out int pairs)
            || pairs < KnownKeys
            || !reader.TryReadKey(0) || !reader.TryReadUInt(out ulong version) || version != Version
            || !reader.TryReadKey(1) || !OwnerStatement.TryReadOwner(ref reader, out OwnerPublicKey owner)
            || !reader.TryReadKey(2) || !reader.TryReadBytes(PublicKey.Bytes, out ReadOnlySpan<byte> signingKey)
            || !reader.TryReadKey(3) || !reader.TryReadBytes(PublicKey.Bytes, out ReadOnlySpan<byte> exchangeKey)
            || !reader.TryReadKey(4) || !reader.TryReadUInt(out ulong serial)
            || !reader.TryReadKey(5) || !OwnerStatement.TryReadTime(ref reader, out UnixTime notBefore)
            || !reader.TryReadKey(6) || !OwnerStatement.TryReadTime(ref reader, out UnixTime notAfter)
            || !reader.TryReadKey(7) || !reader.TryReadUInt(out ulong uses)
            || !OwnerStatement.TrySkipUnknown(ref reader, KnownKeys - 1, pairs - KnownKeys)
            || notBefore > notAfter)
        {
            return false;
        }

        fields = new(owner, new PublicKey(signingKey), new PublicKey(exchangeKey), serial, notBefore, notAfter, (DelegationUses)uses);
        return true;
    }

    private readonly record struct DelegationFields(
        OwnerPublicKey Owner,
        PublicKey SigningKey,
        PublicKey ExchangeKey,
        ulong Serial,
        UnixTime NotBefore,
        UnixTime NotAfter,
        DelegationUses Uses);
}

/// <summary>What a device may do in its owner's name.</summary>
[Flags]
public enum DelegationUses : ulong
{
    None = 0,

    /// <summary>Answer and open sessions as the TrustID.</summary>
    Session = 1,

    /// <summary>Sign records at the TrustID in the DHT.</summary>
    Records = 2,

    /// <summary>Sign offers, quotes and leases.</summary>
    Leases = 4,

    /// <summary>All uses this version knows.</summary>
    All = Session | Records | Leases,
}

/// <summary>What <see cref="Delegation.Verify"/> says.</summary>
public enum DelegationVerdict
{
    Valid,

    /// <summary>Not the owner's signature, in a second form, or under a key that is no point of the curve.</summary>
    BadSignature,
    NotYetValid,
    Expired,

    /// <summary>Its serial is below the owner's floor.</summary>
    Revoked,
}
