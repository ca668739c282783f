using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Math;

namespace Carrier.Core.Identity;

/// <summary>The owner's P-256 private key: it is the wallet and it delegates devices. It may stay offline, so nothing on the way of a packet needs it.</summary>
/// <remarks>
/// Signatures are ECDSA over SHA-256 with RFC 6979 nonces and <c>s</c> in the low half, 64 bytes r ‖ s. The scalar is pinned and zeroed on dispose;
/// the big numbers the signer makes of it while it signs are the collector's.
/// </remarks>
public sealed class OwnerKey : IDisposable
{
    public const int PrivateBytes = P256Scalar.Bytes;

    private static readonly X9ECParameters Curve = CustomNamedCurves.GetByName("P-256");
    private static readonly ECDomainParameters Domain = new(Curve);

    private readonly SecretBytes _scalar;

    private OwnerKey(ReadOnlySpan<byte> scalar)
    {
        _scalar = new SecretBytes(scalar);
        byte[] point = Curve.G.Multiply(new BigInteger(1, scalar)).Normalize().GetEncoded(compressed: true);
        _ = OwnerPublicKey.TryFromBytes(point, out OwnerPublicKey key);
        PublicKey = key;
        TrustId = key.TrustId;
    }

    public OwnerPublicKey PublicKey { get; }

    public TrustId TrustId { get; }

    /// <summary>Takes a scalar of 32 bytes, big-endian, in [1, N − 1]; the caller still owns and zeroes its copy.</summary>
    public static bool TryFromPrivate(ReadOnlySpan<byte> scalar, [NotNullWhen(true)] out OwnerKey? key)
    {
        key = scalar.Length == PrivateBytes && P256Scalar.Read(scalar).IsInRange ? new OwnerKey(scalar) : null;
        return key is not null;
    }

    /// <summary>The key at <c>m/44'/0'/0'/change/index</c>, the path ELA wallets use: <paramref name="change"/> 0 for addresses that are given out, 1 for
    /// change.</summary>
    /// <exception cref="CryptographicException">BIP-32 has no key there: one mnemonic in a thousand million, and then another index must be used.</exception>
    public static OwnerKey FromMnemonic(Mnemonic mnemonic, ReadOnlySpan<char> passphrase = default, uint index = 0, uint change = 0)
    {
        ArgumentNullException.ThrowIfNull(mnemonic);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Derivation.Hardened);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(change, 1u);
        using var seed = new SecretBytes(Mnemonic.SeedBytes);
        mnemonic.DeriveSeed(passphrase, seed.Span);
        using var node = new SecretBytes(Derivation.NodeBytes);
        if (!Derivation.TryDerive(seed.Span, [.. Derivation.OwnerAccount, change, index], node.Span))
        {
            throw new CryptographicException("BIP-32 has no key at this index.");
        }

        return new OwnerKey(node.Span[..PrivateBytes]);
    }

    /// <summary>Signs one of Carrier's own structures; <paramref name="signature"/> receives 64 bytes.</summary>
    public void Sign(SignatureContext context, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(context);
        SignBare(context.Wrap(message), signature);
    }

    /// <summary>Signs an unsigned ELA transaction, bare; <paramref name="signature"/> receives 64 bytes. For nothing else.</summary>
    public void SignTransaction(ReadOnlySpan<byte> unsignedTransaction, Span<byte> signature) => SignBare(unsignedTransaction, signature);

    /// <summary>Copies the scalar out, for the keystore; the caller zeroes its copy.</summary>
    public void CopyPrivateTo(Span<byte> scalar) => _scalar.Span.CopyTo(scalar);

    public void Dispose() => _scalar.Dispose();

    private void SignBare(ReadOnlySpan<byte> message, Span<byte> signature)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(signature.Length, OwnerPublicKey.SignatureBytes);
        var signer = new ECDsaSigner(new HMacDsaKCalculator(new Sha256Digest()));
        signer.Init(forSigning: true, new ECPrivateKeyParameters(new BigInteger(1, _scalar.Span), Domain));
        BigInteger[] parts = signer.GenerateSignature(SHA256.HashData(message));

        WriteUnsigned(parts[0], signature[..P256Scalar.Bytes]);
        WriteUnsigned(parts[1], signature[P256Scalar.Bytes..]);
        P256Scalar s = P256Scalar.Read(signature[P256Scalar.Bytes..]);
        if (s.IsHigh)
        {
            s.Negate().Write(signature[P256Scalar.Bytes..]);
        }
    }

    private static void WriteUnsigned(BigInteger number, Span<byte> bigEndian)
    {
        byte[] bytes = number.ToByteArrayUnsigned();
        bigEndian.Clear();
        bytes.CopyTo(bigEndian[^bytes.Length..]);
    }
}
