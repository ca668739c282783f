using Carrier.Core.Crypto;

namespace Carrier.Tests.Crypto;

public sealed unsafe class Aegis128LTests
{
    /// <summary>draft-irtf-cfrg-aegis-aead, appendix A.2, test vectors 1 and 2: the library under us is the cipher the document names.</summary>
    [Theory]
    [InlineData(
        "00000000000000000000000000000000",
        "c1c0e58bd913006feba00f4b3cc3594e" + "25835bfbb21632176cf03840687cb968cace4617af1bd0f7d064c639a5c79ee4")]
    [InlineData("", "1360dc9db8ae42455f6e5b6a9d488ea4f2184c4e12120249335c4ee84bafe25d")]
    public void Seal_of_the_drafts_vectors_gives_their_ciphertext_and_tag(string plaintext, string expected)
    {
        byte[] key = Convert.FromHexString("10010000000000000000000000000000");
        byte[] nonce = Convert.FromHexString("10000200000000000000000000000000");
        byte[] message = Convert.FromHexString(plaintext);
        byte[] sealedBytes = new byte[message.Length + CipherSuites.TagBytes(CipherSuite.Aegis128L)];
        fixed (byte* c = sealedBytes, m = message, n = nonce, k = key)
        {
            Assert.Equal(0, Sodium.crypto_aead_aegis128l_encrypt(c, null, m, (ulong)message.Length, null, 0, null, n, k));
        }

        CryptoVectors.AssertHex(Convert.FromHexString(expected), sealedBytes);
    }

    [Fact]
    public void TryOpen_of_a_forgery_wipes_what_it_decrypted()
    {
        Assert.SkipUnless(CipherSuites.IsSupported(CipherSuite.Aegis128L), "No AES instruction on this CPU.");
        using var cipher = PacketCipher.Create(CipherSuite.Aegis128L, new byte[PacketCipher.SecretBytes]);
        byte[] sealedBytes = new byte[100 + cipher.TagBytes];
        cipher.Seal(1, default, Enumerable.Repeat((byte)0xAA, 100).ToArray(), sealedBytes);
        sealedBytes[^1] ^= 1;
        Assert.False(cipher.TryOpen(1, default, sealedBytes));
        Assert.DoesNotContain(sealedBytes[..100], b => b != 0);
    }
}
