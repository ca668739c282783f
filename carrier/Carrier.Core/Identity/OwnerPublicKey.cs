using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Math;
using ECFieldElement = Org.BouncyCastle.Math.EC.ECFieldElement;

namespace Carrier.Core.Identity;

/// <summary>An owner's P-256 public key in compressed form (SEC 1 §2.3.3): 02 or 03, then X, big-endian. Thirty-three bytes as a value.</summary>
/// <remarks>Reading one costs nothing; whether X is on the curve is found out by <see cref="Verify"/>, which then says no.</remarks>
public readonly struct OwnerPublicKey : IEquatable<OwnerPublicKey>
{
    public const int Bytes = 33;

    /// <summary>r ‖ s, each 32 bytes, big-endian.</summary>
    public const int SignatureBytes = 2 * P256Scalar.Bytes;

    private static readonly Org.BouncyCastle.Math.EC.ECCurve Curve = CustomNamedCurves.GetByName("P-256").Curve;

    private readonly KeyBytes _bytes;

    private OwnerPublicKey(ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes);

    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    public TrustId TrustId => TrustId.FromPublicKey(this);

    public static bool operator ==(OwnerPublicKey left, OwnerPublicKey right) => left.Equals(right);

    public static bool operator !=(OwnerPublicKey left, OwnerPublicKey right) => !left.Equals(right);

    /// <summary>Takes thirty-three bytes that open with 02 or 03.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out OwnerPublicKey key)
    {
        bool valid = bytes.Length == Bytes && bytes[0] is 0x02 or 0x03;
        key = valid ? new OwnerPublicKey(bytes) : default;
        return valid;
    }

    /// <summary>Verifies a signature over one of Carrier's own structures: one form only, <c>s</c> in the low half, so that no stranger can make a second one.</summary>
    public bool Verify(SignatureContext context, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(context);
        return signature.Length == SignatureBytes
            && !P256Scalar.Read(signature[P256Scalar.Bytes..]).IsHigh
            && VerifyBare(context.Wrap(message), signature);
    }

    /// <summary>Verifies a signature as the ELA chain does: over the bare unsigned transaction, <c>s</c> in either half.</summary>
    public bool VerifyTransaction(ReadOnlySpan<byte> unsignedTransaction, ReadOnlySpan<byte> signature) =>
        VerifyBare(unsignedTransaction, signature);

    public bool Equals(OwnerPublicKey other) => Span.SequenceEqual(other.Span);

    public override bool Equals(object? obj) => obj is OwnerPublicKey other && Equals(other);

    // The keyed string hash, as in TrustId; the first byte carries one bit and is left out to make the length even.
    public override int GetHashCode() => string.GetHashCode(MemoryMarshal.Cast<byte, char>(Span[1..]));

    public override string ToString() => Convert.ToHexStringLower(Span);

    private bool VerifyBare(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != SignatureBytes
            || !P256Scalar.Read(signature).IsInRange
            || !P256Scalar.Read(signature[P256Scalar.Bytes..]).IsInRange
            || !TryDecompress(out ECPoint point))
        {
            return false;
        }

        using var ecdsa = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = point });
        return ecdsa.VerifyData(message, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    /// <summary>Solves y² = x³ + ax + b (SEC 1 §2.3.4). By hand, because the library's decoder throws at a stranger's bad X.</summary>
    public bool TryDecompress(out ECPoint point)
    {
        point = default;
        var number = new BigInteger(1, Span[1..]);
        if (Span[0] is not (0x02 or 0x03) || number.CompareTo(Curve.Field.Characteristic) >= 0)
        {
            return false;
        }

        ECFieldElement x = Curve.FromBigInteger(number);
        ECFieldElement? y = x.Square().Add(Curve.A).Multiply(x).Add(Curve.B).Sqrt();
        if (y is null)
        {
            return false;
        }

        bool wantsOdd = Span[0] == 0x03;
        y = y.TestBitZero() == wantsOdd ? y : y.Negate();
        point = new ECPoint { X = x.GetEncoded(), Y = y.GetEncoded() };
        return true;
    }

    [InlineArray(Bytes)]
    private struct KeyBytes
    {
        private byte _first;
    }
}
