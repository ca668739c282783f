using System.Collections.Frozen;
using System.Text;

namespace Carrier.Core.Identity;

/// <summary>The 2,048 English words of BIP-39 in order, from the embedded <c>english.txt</c>.</summary>
internal static class MnemonicWords
{
    public const int Count = 2048;

    /// <summary>No word of the list is longer.</summary>
    public const int MaxLength = 8;

    private static readonly string[] Words = Load();

    private static readonly FrozenDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> Numbers =
        Words.Select((word, number) => KeyValuePair.Create(word, number))
            .ToFrozenDictionary(StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();

    public static string At(int number) => Words[number];

    /// <summary>The number of a lower-case word.</summary>
    public static bool TryFind(ReadOnlySpan<char> word, out int number) => Numbers.TryGetValue(word, out number);

    private static string[] Load()
    {
        using Stream stream = typeof(MnemonicWords).Assembly.GetManifestResourceStream("Carrier.Core.Identity.english.txt")
            ?? throw new InvalidOperationException("The word list is not embedded.");
        using var reader = new StreamReader(stream, Encoding.ASCII);
        string[] words = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return words.Length == Count ? words : throw new InvalidOperationException("The word list is damaged.");
    }
}
