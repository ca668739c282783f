using Carrier.Core.Crypto;

namespace Carrier.Core.Identity;

/// <summary>The mixed-case checksum of a hex address (EIP-55): a letter is a capital where the same nibble of the Keccak-256 of the lower-case text is 8 or more.</summary>
internal static class Eip55
{
    /// <summary>Sets the case of <paramref name="hex"/>, forty lower-case digits without <c>0x</c>, in place.</summary>
    public static void Capitalize(Span<char> hex)
    {
        Span<byte> ascii = stackalloc byte[hex.Length];
        for (int i = 0; i < hex.Length; i++)
        {
            ascii[i] = (byte)hex[i];
        }

        Span<byte> digest = stackalloc byte[Keccak256.Bytes];
        Keccak256.HashData(ascii, digest);
        for (int i = 0; i < hex.Length; i++)
        {
            int nibble = (i & 1) == 0 ? digest[i / 2] >> 4 : digest[i / 2] & 0x0F;
            if (nibble >= 8)
            {
                hex[i] = char.ToUpperInvariant(hex[i]);
            }
        }
    }
}
