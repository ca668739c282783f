using System.Runtime.InteropServices;
using Carrier.Core.Crypto;
using CsCheck;

namespace Carrier.Tests.Crypto;

public sealed unsafe partial class Aegis128LTests
{
    [Fact]
    public void Seal_of_the_drafts_first_vector_gives_its_ciphertext_and_tag()
    {
        Assert.SkipUnless(Aegis128L.IsSupported, "No AES instruction on this CPU.");
        byte[] key = Convert.FromHexString("10010000000000000000000000000000");
        byte[] nonce = Convert.FromHexString("10000200000000000000000000000000");
        byte[] sealedBytes = new byte[32];
        Aegis128L.Seal(key, nonce, default, new byte[16], sealedBytes);
        CryptoVectors.AssertHex(Convert.FromHexString("c1c0e58bd913006feba00f4b3cc3594eabe0ece80c24868a226a35d16bdae37a"), sealedBytes);
    }

    /// <summary>libsodium is the judge: its ciphertext is the same, and its 256-bit tag covers the same state.</summary>
    [Fact]
    public void Seal_gives_the_ciphertext_of_libsodium()
    {
        Assert.SkipUnless(Aegis128L.IsSupported, "No AES instruction on this CPU.");
        Gen.Select(Gen.Byte.Array[16], Gen.Byte.Array[16], Gen.Byte.Array[0, 70], Gen.Byte.Array[0, 200]).Sample((key, nonce, header, text) =>
        {
            byte[] ours = new byte[text.Length + 16];
            byte[] theirs = new byte[text.Length + 32];
            Aegis128L.Seal(key, nonce, header, text, ours);
            fixed (byte* c = theirs, m = text, ad = header, n = nonce, k = key)
            {
                Assert.Equal(0, crypto_aead_aegis128l_encrypt(c, null, m, (ulong)text.Length, ad, (ulong)header.Length, null, n, k));
            }

            Assert.Equal(theirs[..text.Length], ours[..text.Length]);
            Assert.True(Aegis128L.TryOpen(key, nonce, header, ours));
            Assert.Equal(text, ours[..text.Length]);
        });
    }

    [Fact]
    public void TryOpen_of_a_forgery_wipes_what_it_decrypted()
    {
        Assert.SkipUnless(Aegis128L.IsSupported, "No AES instruction on this CPU.");
        byte[] key = new byte[16];
        byte[] sealedBytes = new byte[100 + 16];
        Aegis128L.Seal(key, key, default, Enumerable.Repeat((byte)0xAA, 100).ToArray(), sealedBytes);
        sealedBytes[^1] ^= 1;
        Assert.False(Aegis128L.TryOpen(key, key, default, sealedBytes));
        Assert.DoesNotContain(sealedBytes, b => b != 0);
    }

    [LibraryImport("libsodium")]
    private static partial int crypto_aead_aegis128l_encrypt(
        byte* c, ulong* clen, byte* m, ulong mlen, byte* ad, ulong adlen, byte* nsec, byte* npub, byte* k);
}
