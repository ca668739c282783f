using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using Carrier.Core.Identity;
using CsCheck;

namespace Carrier.Tests.Identity;

public sealed class OwnerKeyTests
{
    private static readonly SignatureContext Context = new("test v1");

    private static readonly BigInteger Order =
        BigInteger.Parse("0FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", System.Globalization.NumberStyles.HexNumber);

    [Fact]
    public void TryFromPrivate_recorded_keys_give_their_public_keys()
    {
        foreach (JsonElement entry in IdentityVectors.Ela.GetProperty("keys").EnumerateArray())
        {
            Assert.True(OwnerKey.TryFromPrivate(entry.Hex("private_key"), out OwnerKey? key));
            Assert.Equal(entry.Text("public_key"), key.PublicKey.ToString());
        }
    }

    [Fact]
    public void TryFromPrivate_zero_the_order_and_other_lengths_are_refused()
    {
        Assert.False(OwnerKey.TryFromPrivate(new byte[32], out _));
        Assert.False(OwnerKey.TryFromPrivate(Order.ToByteArray(isUnsigned: true, isBigEndian: true), out _));
        Assert.False(OwnerKey.TryFromPrivate(new byte[31], out _));
        Assert.False(OwnerKey.TryFromPrivate([.. new byte[32], 1], out _));
    }

    [Fact]
    public void VerifyTransaction_agrees_with_the_chain()
    {
        foreach (JsonElement entry in IdentityVectors.Ela.GetProperty("signatures").EnumerateArray())
        {
            Assert.True(OwnerPublicKey.TryFromBytes(entry.Hex("public_key"), out OwnerPublicKey key));
            if (!SHA256.HashData(entry.Hex("data")).AsSpan().SequenceEqual(entry.Hex("digest")))
            {
                continue; // about a digest made in another way, which no call here takes
            }

            bool valid = key.VerifyTransaction(entry.Hex("data"), entry.Hex("signature"));
            Assert.True(valid == entry.GetProperty("valid").GetBoolean(), entry.Text("note"));
        }
    }

    [Fact]
    public void SignTransaction_is_the_recorded_rfc_6979_signature_in_its_low_form()
    {
        using OwnerKey payer = IdentityVectors.Owner("payer");
        int compared = 0;
        foreach (JsonElement entry in IdentityVectors.Ela.GetProperty("signatures").EnumerateArray())
        {
            if (!entry.Text("note").StartsWith("RFC 6979", StringComparison.Ordinal))
            {
                continue;
            }

            byte[] expected = entry.Hex("signature");
            var s = new BigInteger(expected.AsSpan(32), isUnsigned: true, isBigEndian: true);
            BigInteger low = BigInteger.Min(s, Order - s);
            byte[] signature = new byte[64];
            payer.SignTransaction(entry.Hex("data"), signature);
            Assert.Equal(expected[..32], signature[..32]);
            Assert.Equal(low, new BigInteger(signature.AsSpan(32), isUnsigned: true, isBigEndian: true));
            compared++;
        }

        Assert.Equal(3, compared);
    }

    [Fact]
    public void Verify_takes_one_form_of_a_signature_only()
    {
        using OwnerKey owner = IdentityVectors.Owner();
        byte[] low = new byte[64];
        owner.Sign(Context, "hello"u8, low);
        byte[] high = HighForm(low);

        Assert.True(owner.PublicKey.Verify(Context, "hello"u8, low));
        Assert.False(owner.PublicKey.Verify(Context, "hello"u8, high));
        Assert.True(owner.PublicKey.VerifyTransaction(Context.Wrap("hello"u8), high)); // it is only the form that was wrong
    }

    [Fact]
    public void Verify_another_context_message_key_or_bit_is_refused()
    {
        using OwnerKey owner = IdentityVectors.Owner();
        using OwnerKey other = IdentityVectors.Owner("bob");
        byte[] signature = new byte[64];
        owner.Sign(Context, "hello"u8, signature);
        Assert.False(owner.PublicKey.Verify(new SignatureContext("test v2"), "hello"u8, signature));
        Assert.False(owner.PublicKey.Verify(Context, "hellp"u8, signature));
        Assert.False(other.PublicKey.Verify(Context, "hello"u8, signature));
        Assert.False(owner.PublicKey.VerifyTransaction("hello"u8, signature)); // what is signed here spends nothing
        Assert.False(owner.PublicKey.Verify(Context, "hello"u8, signature.AsSpan(1)));
        for (int bit = 0; bit < signature.Length * 8; bit += 7)
        {
            signature[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(owner.PublicKey.Verify(Context, "hello"u8, signature));
            signature[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Verify_under_keys_that_are_no_points_says_no() => Gen.Byte.Array[32].Sample(x =>
    {
        byte[] signature = new byte[64];
        signature[31] = signature[63] = 1;
        Assert.True(OwnerPublicKey.TryFromBytes([0x02, .. x], out OwnerPublicKey key));
        return !key.Verify(Context, "hello"u8, signature);
    });

    [Fact]
    public void Verify_under_an_x_beyond_the_field_says_no()
    {
        Assert.True(OwnerPublicKey.TryFromBytes([0x03, .. Enumerable.Repeat((byte)0xFF, 32)], out OwnerPublicKey key));
        byte[] signature = new byte[64];
        signature[31] = signature[63] = 1;
        Assert.False(key.Verify(Context, "hello"u8, signature));
        Assert.False(default(OwnerPublicKey).Verify(Context, "hello"u8, signature));
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x04)]
    [InlineData(0x21)]
    public void TryFromBytes_other_point_forms_are_refused(byte prefix) =>
        Assert.False(OwnerPublicKey.TryFromBytes([prefix, .. new byte[32]], out _));

    [Fact]
    public void Sign_is_judged_by_the_platform() => Gen.Byte.Array[0, 100].Sample(
        message =>
        {
            using OwnerKey owner = IdentityVectors.Owner("scalar N-1");
            byte[] signature = new byte[64];
            owner.Sign(Context, message, signature);
            byte[] point = IdentityVectors.Ela.GetProperty("keys").EnumerateArray()
                .First(k => k.Text("label") == "scalar N-1").Hex("public_key_uncompressed");
            using var judge = ECDsa.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = new ECPoint { X = point[1..33], Y = point[33..] },
            });
            return judge.VerifyData(Context.Wrap(message), signature, HashAlgorithmName.SHA256);
        },
        iter: 20);

    [Fact]
    public void Dispose_a_disposed_key_signs_nothing()
    {
        OwnerKey owner = IdentityVectors.Owner();
        owner.Dispose();
        Assert.Throws<ObjectDisposedException>(() => owner.Sign(Context, "hello"u8, new byte[64]));
    }

    [Fact]
    public void P256Scalar_arithmetic_is_that_of_big_integers()
    {
        BigInteger[] edges = [BigInteger.Zero, BigInteger.One, Order - 1, Order / 2, (Order / 2) + 1, BigInteger.Pow(2, 128) - 1];
        Gen<BigInteger> below = Gen.OneOf(
            Gen.Byte.Array[32].Select(b => new BigInteger(b, isUnsigned: true, isBigEndian: true) % Order),
            Gen.Int[0, edges.Length - 1].Select(i => edges[i]));
        Gen.Select(below, below).Sample((a, b) =>
        {
            P256Scalar left = ToScalar(a);
            P256Scalar right = ToScalar(b);
            return left.AddModOrder(right) == ToScalar((a + b) % Order)
                && left.Negate() == ToScalar(Order - a)
                && left.IsHigh == (a > Order / 2)
                && left.IsInRange == !a.IsZero
                && Math.Sign(left.CompareTo(right)) == a.CompareTo(b);
        });
    }

    internal static byte[] HighForm(byte[] signature)
    {
        byte[] high = [.. signature];
        P256Scalar.Read(high.AsSpan(32)).Negate().Write(high.AsSpan(32));
        return high;
    }

    private static P256Scalar ToScalar(BigInteger number)
    {
        byte[] bytes = new byte[32];
        byte[] significant = number.ToByteArray(isUnsigned: true, isBigEndian: true);
        significant.CopyTo(bytes, 32 - significant.Length);
        return P256Scalar.Read(bytes);
    }
}
