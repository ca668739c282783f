namespace Carrier.Core.Crypto;

/// <summary>RIPEMD160(SHA256(data)): how the ELA chain names a script by its hash.</summary>
public static class Hash160
{
    public const int Bytes = Ripemd160.Bytes;

    /// <summary>Writes the twenty bytes of the hash.</summary>
    public static void HashData(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(hash.Length, Bytes);
        Span<byte> sha = stackalloc byte[Sha256.HashBytes];
        Sha256.HashData(data, sha);
        Ripemd160.HashData(sha, hash);
    }
}
