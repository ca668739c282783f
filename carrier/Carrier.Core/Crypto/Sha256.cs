namespace Carrier.Core.Crypto;

/// <summary>SHA-256 (FIPS 180-4) of something short. libsodium's: the platform's maps all of OpenSSL, 5 MB of an agent at rest, and goes through a provider look-up.</summary>
internal static unsafe class Sha256
{
    public const int HashBytes = 32;

    /// <summary>Writes the thirty-two bytes of the hash, which may lie in <paramref name="data"/>.</summary>
    public static void HashData(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hash.Length, HashBytes);
        fixed (byte* input = data, output = hash)
        {
            _ = Sodium.crypto_hash_sha256(output, input, (ulong)data.Length);
        }
    }
}
