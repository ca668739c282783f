using Carrier.Core.Crypto;
using CsCheck;

namespace Carrier.Tests.Crypto;

public sealed class PacketCipherTests
{
    private static readonly byte[] Secret = Enumerable.Range(0, 32).Select(i => (byte)i).ToArray();

    public static TheoryData<CipherSuite> Suites => [.. CipherSuites.Supported];

    [Theory]
    [MemberData(nameof(Suites))]
    public void TryOpen_of_what_was_sealed_in_place_gives_the_plaintext(CipherSuite suite)
    {
        using var cipher = PacketCipher.Create(suite, Secret);
        Gen.Select(Gen.ULong, Gen.Byte.Array[0, 40], Gen.Byte.Array[0, 1500]).Sample((number, header, text) =>
        {
            byte[] buffer = [.. text, .. new byte[cipher.TagBytes]];
            cipher.Seal(number, header, buffer.AsSpan(0, text.Length), buffer);
            Assert.True(cipher.TryOpen(number, header, buffer));
            Assert.Equal(text, buffer[..text.Length]);
        });
    }

    [Theory]
    [MemberData(nameof(Suites))]
    public void TryOpen_of_any_flipped_bit_header_or_number_is_refused(CipherSuite suite)
    {
        using var cipher = PacketCipher.Create(suite, Secret);
        byte[] header = [1, 2, 3];
        byte[] good = new byte[40 + cipher.TagBytes];
        cipher.Seal(7, header, new byte[40], good);
        for (int bit = 0; bit < good.Length * 8; bit++)
        {
            byte[] bad = [.. good];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(cipher.TryOpen(7, header, bad));
        }

        for (int length = 0; length < good.Length; length++)
        {
            Assert.False(cipher.TryOpen(7, header, [.. good.AsSpan(0, length)]));
        }

        Assert.False(cipher.TryOpen(8, header, [.. good]));
        Assert.False(cipher.TryOpen(7UL | (1UL << 63), header, [.. good]));
        Assert.False(cipher.TryOpen(7, [1, 2, 4], [.. good]));
        Assert.True(cipher.TryOpen(7, header, good)); // the forgeries changed nothing
    }

    [Theory]
    [InlineData(CipherSuite.ChaCha20Poly1305, "chacha20poly1305")]
    [InlineData(CipherSuite.Aes256Gcm, "aes256gcm")]
    [InlineData(CipherSuite.Aegis128L, "aegis128l")]
    public void Seal_matches_the_golden_bytes(CipherSuite suite, string name)
    {
        Assert.SkipUnless(CipherSuites.IsSupported(suite), "Not on this CPU.");
        Dictionary<string, byte[]> vector = CryptoVectors.Read("packet-cipher.txt");
        using var cipher = PacketCipher.Create(suite, vector["secret"]);
        byte[] sealedBytes = new byte[vector["plaintext"].Length + cipher.TagBytes];
        cipher.Seal(0x0102030405060708, vector["header"], vector["plaintext"], sealedBytes);
        CryptoVectors.AssertHex(vector[name], sealedBytes);
        byte[] next = new byte[PacketCipher.SecretBytes];
        PacketCipher.NextSecret(vector["secret"], next);
        CryptoVectors.AssertHex(vector["next-secret"], next);
    }

    /// <summary>The platform's own AES-GCM and ChaCha20-Poly1305, with key and nonce derived by the platform's HKDF, are the judge.</summary>
    [Fact]
    public void Seal_agrees_with_the_platforms_ciphers()
    {
        byte[] key = System.Security.Cryptography.HKDF.Expand(new("SHA256"), Secret, 32, "carrier 1 packet key"u8.ToArray());
        byte[] nonce = System.Security.Cryptography.HKDF.Expand(new("SHA256"), Secret, 12, "carrier 1 packet iv"u8.ToArray());
        nonce[11] ^= 5;
        byte[] header = [9];
        byte[] text = [1, 2, 3, 4, 5];
        byte[] expected = new byte[5];
        byte[] tag = new byte[16];
        byte[] actual = new byte[21];
        using var chacha = new System.Security.Cryptography.ChaCha20Poly1305(key);
        chacha.Encrypt(nonce, text, expected, tag, header);
        using (var cipher = PacketCipher.Create(CipherSuite.ChaCha20Poly1305, Secret))
        {
            cipher.Seal(5, [9], text, actual);
        }

        Assert.Equal([.. expected, .. tag], actual);
        Assert.SkipUnless(CipherSuites.IsSupported(CipherSuite.Aes256Gcm), "Not on this CPU.");
        using var gcm = new System.Security.Cryptography.AesGcm(key, 16);
        gcm.Encrypt(nonce, text, expected, tag, header);
        using (var cipher = PacketCipher.Create(CipherSuite.Aes256Gcm, Secret))
        {
            cipher.Seal(5, [9], text, actual);
        }

        Assert.Equal([.. expected, .. tag], actual);
    }

    [Theory]
    [MemberData(nameof(Suites))]
    public void Seal_and_TryOpen_allocate_nothing(CipherSuite suite)
    {
        using var cipher = PacketCipher.Create(suite, Secret);
        byte[] buffer = new byte[1200];

        long allocated = AllocatedBytes.LeastOf(() =>
        {
            for (ulong i = 0; i < 50; i++)
            {
                cipher.Seal(i, default, buffer.AsSpan(0, buffer.Length - cipher.TagBytes), buffer);
                _ = cipher.TryOpen(i, default, buffer);
            }
        });

        Assert.Equal(0, allocated);
    }

    [Fact]
    public void Seal_after_Dispose_throws_and_the_key_is_gone()
    {
        var cipher = PacketCipher.Create(CipherSuite.ChaCha20Poly1305, Secret);
        cipher.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cipher.Seal(0, default, default, new byte[16]));
        Assert.Throws<ObjectDisposedException>(() => cipher.TryOpen(0, default, new byte[16]));
    }

    [Fact]
    public void TryChoose_takes_the_first_of_ours_that_they_have()
    {
        Assert.Equal(CipherSuite.ChaCha20Poly1305, CipherSuites.Supported[^1]);
        Assert.True(CipherSuites.TryChoose(
            [CipherSuite.Aegis128L, CipherSuite.ChaCha20Poly1305], [(CipherSuite)200, CipherSuite.ChaCha20Poly1305, CipherSuite.Aes256Gcm], out var chosen));
        Assert.Equal(CipherSuite.ChaCha20Poly1305, chosen);
        Assert.False(CipherSuites.TryChoose(CipherSuites.Supported, [(CipherSuite)200], out _));
    }
}
