using System.Diagnostics.CodeAnalysis;
using Carrier.Core.Wire;

namespace Carrier.Core.Identity;

/// <summary>The owner's word that its delegations with a serial below a floor are dead. Immutable; of several the highest floor counts.</summary>
/// <remarks>
/// CBOR <c>[body, signature]</c>; the signature is the owner's, ECDSA P-256 over <c>FF FF "carrier revocation v1" 00 ‖ body</c>.
/// <code>
///  body = map
///   0  version         uint      1
///   1  owner key       bytes 33  P-256, compressed
///   2  serial floor    uint
///   3… unknown keys    any       skipped, covered by the signature
/// </code>
/// It has no dates: what was revoked stays so. At most 220 bytes.
/// </remarks>
public sealed class Revocation
{
    public const int MaxBytes = OwnerStatement.MaxBytes;

    private const int Version = 1;
    private const int KnownKeys = 3;
    private const int MaxBodyBytes = 64;

    private static readonly SignatureContext Context = new("revocation v1");

    private readonly byte[] _encoded;
    private bool? _signatureIsValid;

    private Revocation(byte[] encoded, OwnerPublicKey owner, ulong serialFloor)
    {
        _encoded = encoded;
        OwnerPublicKey = owner;
        TrustId = owner.TrustId;
        SerialFloor = serialFloor;
    }

    public ReadOnlyMemory<byte> Encoded => _encoded;

    public TrustId TrustId { get; }

    public OwnerPublicKey OwnerPublicKey { get; }

    /// <summary>The lowest serial still alive.</summary>
    public ulong SerialFloor { get; }

    public static Revocation Issue(OwnerKey owner, ulong serialFloor)
    {
        ArgumentNullException.ThrowIfNull(owner);
        var body = new CborWriter(stackalloc byte[MaxBodyBytes]);
        body.WriteMap(KnownKeys);
        body.WriteUInt(0);
        body.WriteUInt(Version);
        body.WriteUInt(1);
        body.WriteBytes(owner.PublicKey.Span);
        body.WriteUInt(2);
        body.WriteUInt(serialFloor);
        return new Revocation(OwnerStatement.Seal(owner, Context, body.Encoded), owner.PublicKey, serialFloor);
    }

    /// <summary>Reads the structure and nothing more: whether the owner signed it is for <see cref="Verify"/> to say.</summary>
    public static bool TryParse(ReadOnlySpan<byte> encoded, [NotNullWhen(true)] out Revocation? revocation)
    {
        revocation = OwnerStatement.TryOpen(encoded, out ReadOnlySpan<byte> body, out _)
            && TryReadBody(body, out OwnerPublicKey owner, out ulong serialFloor)
                ? new Revocation(encoded.ToArray(), owner, serialFloor)
                : null;
        return revocation is not null;
    }

    /// <summary>Whether the owner signed it. Checked once and remembered.</summary>
    public bool Verify() =>
        _signatureIsValid ??= OwnerStatement.TryOpen(_encoded, out ReadOnlySpan<byte> body, out ReadOnlySpan<byte> signature)
            && OwnerPublicKey.Verify(Context, body, signature);

    private static bool TryReadBody(ReadOnlySpan<byte> body, out OwnerPublicKey owner, out ulong serialFloor)
    {
        owner = default;
        serialFloor = 0;
        var reader = new CborReader(body);
        return reader.TryReadMap(out int pairs)
            && pairs >= KnownKeys
            && reader.TryReadKey(0) && reader.TryReadUInt(out ulong version) && version == Version
            && reader.TryReadKey(1) && OwnerStatement.TryReadOwner(ref reader, out owner)
            && reader.TryReadKey(2) && reader.TryReadUInt(out serialFloor)
            && OwnerStatement.TrySkipUnknown(ref reader, KnownKeys - 1, pairs - KnownKeys);
    }
}
