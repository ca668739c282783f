using System.Text;
using Carrier.Core.Crypto;
using CsCheck;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Digests;

namespace Carrier.Tests.Crypto;

/// <summary>The two hashes the platform lacks: their authors' vectors, and another library's judgement.</summary>
public sealed class HashTests
{
    [Theory]
    [InlineData("", "9c1185a5c5e9fc54612808977ee8f548b2258d31")]
    [InlineData("a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe")]
    [InlineData("abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc")]
    [InlineData("message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36")]
    [InlineData("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "12a053384a9c0c88e405a06c27dcf49ada62eb2b")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345678901234567890", "9b752e45573d4b39f4dbd3323cab82bf63326bfb")]
    public void Ripemd160_gives_the_published_hashes(string text, string expected) => Assert.Equal(expected, Ripemd(Encoding.ASCII.GetBytes(text)));

    [Theory]
    [InlineData("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")]
    [InlineData("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45")]
    public void Keccak256_gives_the_published_hashes(string text, string expected) => Assert.Equal(expected, Keccak(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Hashes_of_any_length_are_those_of_another_library() => Gen.Byte.Array[0, 500].Sample(data =>
    {
        Assert.Equal(Judge(new RipeMD160Digest(), data), Ripemd(data));
        Assert.Equal(Judge(new KeccakDigest(256), data), Keccak(data));
    });

    private static string Ripemd(byte[] data)
    {
        byte[] hash = new byte[Ripemd160.Bytes];
        Ripemd160.HashData(data, hash);
        return Convert.ToHexStringLower(hash);
    }

    private static string Keccak(byte[] data)
    {
        byte[] hash = new byte[Keccak256.Bytes];
        Keccak256.HashData(data, hash);
        return Convert.ToHexStringLower(hash);
    }

    private static string Judge(IDigest digest, byte[] data)
    {
        digest.BlockUpdate(data, 0, data.Length);
        byte[] hash = new byte[digest.GetDigestSize()];
        digest.DoFinal(hash, 0);
        return Convert.ToHexStringLower(hash);
    }
}
