using Carrier.Core.Crypto;

namespace Carrier.Core.Identity;

/// <summary>The text form of an ELA program hash: Base58 of one prefix byte, twenty hash bytes and the first four of their double SHA-256.</summary>
/// <remarks>
/// <code>
///  0        1                    21          25
///  +--------+--------------------+-----------+
///  | prefix | RIPEMD160(SHA256)  | checksum  |   read as one big-endian number, written in base 58
///  +--------+--------------------+-----------+
/// </code>
/// </remarks>
public static class ElaAddress
{
    public const int HashBytes = 20;

    /// <summary>Prefix of an ordinary single-key account: addresses that begin with <c>E</c>.</summary>
    public const byte StandardPrefix = 0x21;

    /// <summary>Every prefix the chain uses gives exactly this many characters, so no other length is looked at.</summary>
    public const int TextLength = 34;

    private const string Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    private const int PayloadBytes = 1 + HashBytes;
    private const int ChecksumBytes = 4;
    private const int TotalBytes = PayloadBytes + ChecksumBytes;

    public static string Encode(byte prefix, ReadOnlySpan<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(hash.Length, HashBytes);
        Span<byte> number = stackalloc byte[TotalBytes];
        number[0] = prefix;
        hash.CopyTo(number[1..]);
        WriteChecksum(number[..PayloadBytes], number[PayloadBytes..]);

        Span<char> text = stackalloc char[TextLength + 1];
        int start = text.Length;
        while (number.ContainsAnyExcept((byte)0))
        {
            text[--start] = Alphabet[DivideBy58(number)];
        }

        return new string(text[start..]);
    }

    /// <summary>Reads an address of any prefix; false when a character, the length or the checksum is wrong.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, out byte prefix, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(hash.Length, HashBytes);
        prefix = 0;
        if (text.Length != TextLength || text[0] == Alphabet[0])
        {
            return false;
        }

        Span<byte> number = stackalloc byte[TotalBytes];
        number.Clear();
        foreach (char c in text)
        {
            int digit = Alphabet.IndexOf(c, StringComparison.Ordinal);
            if (digit < 0 || !TryMultiplyBy58(number, digit))
            {
                return false;
            }
        }

        Span<byte> checksum = stackalloc byte[ChecksumBytes];
        WriteChecksum(number[..PayloadBytes], checksum);
        if (!checksum.SequenceEqual(number[PayloadBytes..]))
        {
            return false;
        }

        prefix = number[0];
        number[1..PayloadBytes].CopyTo(hash);
        return true;
    }

    private static void WriteChecksum(ReadOnlySpan<byte> payload, Span<byte> checksum)
    {
        Span<byte> digest = stackalloc byte[Sha256.HashBytes];
        Sha256.HashData(payload, digest);
        Sha256.HashData(digest, digest);
        digest[..ChecksumBytes].CopyTo(checksum);
    }

    private static int DivideBy58(Span<byte> number)
    {
        int remainder = 0;
        for (int i = 0; i < number.Length; i++)
        {
            int value = (remainder << 8) | number[i];
            number[i] = (byte)(value / 58);
            remainder = value % 58;
        }

        return remainder;
    }

    private static bool TryMultiplyBy58(Span<byte> number, int carry)
    {
        for (int i = number.Length - 1; i >= 0; i--)
        {
            carry += number[i] * 58;
            number[i] = (byte)carry;
            carry >>= 8;
        }

        return carry == 0;
    }
}
