using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Carrier.Core.Identity;

/// <summary>A BIP-39 mnemonic of 12 or 24 English words: 128 or 256 bits of entropy and a checksum of the first bits of their SHA-256.</summary>
/// <remarks>
/// <code>
///  entropy 128 | checksum 4   = 132 bits = 12 words of 11 bits
///  entropy 256 | checksum 8   = 264 bits = 24 words of 11 bits
/// </code>
/// The entropy is pinned and zeroed on dispose. Text handed out is a string, and strings cannot be zeroed: ask for it only to show it.
/// </remarks>
public sealed class Mnemonic : IDisposable
{
    public const int SeedBytes = 64;

    private const int BitsPerWord = 11;
    private const int Rounds = 2048;
    private const int LongestWords = 24;

    private readonly SecretBytes _entropy;

    private Mnemonic(ReadOnlySpan<byte> entropy) => _entropy = new SecretBytes(entropy);

    public int WordCount => _entropy.Span.Length * 3 / 4;

    /// <summary>The entropy, for the keystore. A view, valid until dispose.</summary>
    internal ReadOnlySpan<byte> Entropy => _entropy.Span;

    /// <summary>Draws a new mnemonic of 12 or 24 words.</summary>
    public static Mnemonic Generate(RandomSource random, int wordCount = 12)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (wordCount is not (12 or 24))
        {
            throw new ArgumentOutOfRangeException(nameof(wordCount), "A mnemonic has 12 or 24 words.");
        }

        using var entropy = new SecretBytes(wordCount * 4 / 3);
        random.Fill(entropy.Span);
        return new Mnemonic(entropy.Span);
    }

    /// <summary>Takes 16 or 32 bytes of entropy.</summary>
    public static bool TryFromEntropy(ReadOnlySpan<byte> entropy, [NotNullWhen(true)] out Mnemonic? mnemonic)
    {
        mnemonic = entropy.Length is 16 or 32 ? new Mnemonic(entropy) : null;
        return mnemonic is not null;
    }

    /// <summary>Reads words in any case with any white space between them, and says which one is wrong.</summary>
    public static MnemonicReading Read(ReadOnlySpan<char> text, out Mnemonic? mnemonic)
    {
        mnemonic = null;
        using var buffer = new SecretBytes((LongestWords * BitsPerWord) / 8);
        Span<byte> bits = buffer.Span;
        Span<char> lower = stackalloc char[MnemonicWords.MaxLength];
        int words = 0;
        int firstUnknown = 0;
        for (ReadOnlySpan<char> rest = text.Trim(); !rest.IsEmpty; rest = rest.TrimStart())
        {
            int end = rest.IndexOfAny(" \t\r\n\u3000");
            ReadOnlySpan<char> word = end < 0 ? rest : rest[..end];
            rest = rest[word.Length..];
            words++;
            int length = word.Length <= lower.Length ? word.ToLowerInvariant(lower) : -1;
            if (length < 0 || !MnemonicWords.TryFind(lower[..length], out int number))
            {
                firstUnknown = firstUnknown == 0 ? words : firstUnknown;
            }
            else if (words <= LongestWords)
            {
                PutWord(bits, words - 1, number);
            }
        }

        lower.Clear();
        if (words is not (12 or 24))
        {
            return new(MnemonicProblem.WordCount, words);
        }

        if (firstUnknown != 0)
        {
            return new(MnemonicProblem.UnknownWord, firstUnknown);
        }

        int entropyBytes = words * 4 / 3;
        if (bits[entropyBytes] != Checksum(bits[..entropyBytes]))
        {
            return new(MnemonicProblem.Checksum, 0);
        }

        mnemonic = new Mnemonic(bits[..entropyBytes]);
        return new(MnemonicProblem.None, 0);
    }

    /// <summary>The words, lower case, one space between them.</summary>
    public string ToText()
    {
        ReadOnlySpan<byte> entropy = _entropy.Span;
        using var buffer = new SecretBytes(entropy.Length + 1);
        entropy.CopyTo(buffer.Span);
        buffer.Span[^1] = Checksum(entropy);
        var text = new StringBuilder(WordCount * (MnemonicWords.MaxLength + 1));
        for (int word = 0; word < WordCount; word++)
        {
            text.Append(word == 0 ? string.Empty : " ").Append(MnemonicWords.At(WordAt(buffer.Span, word)));
        }

        return text.ToString();
    }

    /// <summary>The BIP-39 seed: PBKDF2-HMAC-SHA512 of the words, salted with <c>mnemonic</c> ‖ passphrase, 2,048 rounds; 64 bytes.</summary>
    /// <exception cref="ArgumentException">The passphrase is not ASCII. BIP-39 wants it in NFKD, which builds without ICU cannot make: refused rather than
    /// derived to a wallet nobody else can open.</exception>
    public void DeriveSeed(ReadOnlySpan<char> passphrase, Span<byte> seed)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, SeedBytes);
        if (!Ascii.IsValid(passphrase))
        {
            throw new ArgumentException("The mnemonic's passphrase must be ASCII.", nameof(passphrase));
        }

        const string Salt = "mnemonic";
        string words = ToText();
        using var password = new SecretBytes(words.Length);
        using var salt = new SecretBytes(Salt.Length + passphrase.Length);
        Encoding.ASCII.GetBytes(words, password.Span);
        Encoding.ASCII.GetBytes(Salt, salt.Span);
        Encoding.ASCII.GetBytes(passphrase, salt.Span[Salt.Length..]);
        Rfc2898DeriveBytes.Pbkdf2(password.Span, salt.Span, seed, Rounds, HashAlgorithmName.SHA512);
    }

    public void Dispose() => _entropy.Dispose();

    // A mnemonic is never printed by accident, by a log or a debugger.
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"Mnemonic of {WordCount} words");

    /// <summary>The checksum as the byte that follows the entropy: its first 4 or 8 bits, the rest zero.</summary>
    private static byte Checksum(ReadOnlySpan<byte> entropy)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(entropy, digest);
        int checksumBits = entropy.Length / 4;
        return (byte)(digest[0] & (0xFF << (8 - checksumBits)));
    }

    private static void PutWord(Span<byte> bits, int word, int number)
    {
        for (int i = 0; i < BitsPerWord; i++)
        {
            int at = (word * BitsPerWord) + i;
            int bit = (number >> (BitsPerWord - 1 - i)) & 1;
            bits[at / 8] |= (byte)(bit << (7 - (at % 8)));
        }
    }

    private static int WordAt(ReadOnlySpan<byte> bits, int word)
    {
        int number = 0;
        for (int at = word * BitsPerWord; at < (word + 1) * BitsPerWord; at++)
        {
            number = (number << 1) | ((bits[at / 8] >> (7 - (at % 8))) & 1);
        }

        return number;
    }
}
