using System.Security.Cryptography;
using Carrier.Core.Identity;

namespace Carrier.Chain.Channels;

/// <summary>Verifies many signatures of one key: the point is decompressed once, not for every voucher.</summary>
public sealed class P256Verifier : IDisposable
{
    private readonly ECDsa? _key;

    public P256Verifier(OwnerPublicKey key)
    {
        PublicKey = key;
        _key = Import(key);
    }

    public OwnerPublicKey PublicKey { get; }

    /// <summary>True when the signature is the key's over these bytes; false also when the key is no point of the curve.</summary>
    public bool Verify(ReadOnlySpan<byte> unsignedTransaction, ChannelSignature signature) =>
        _key is not null
        && !signature.IsNone
        && _key.VerifyData(unsignedTransaction, signature.Span, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    public void Dispose() => _key?.Dispose();

    private static ECDsa? Import(OwnerPublicKey key) =>
        key.TryDecompress(out ECPoint point) ? ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = point }) : null;
}
