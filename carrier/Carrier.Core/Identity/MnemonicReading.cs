using System.Globalization;

namespace Carrier.Core.Identity;

/// <summary>What <see cref="Mnemonic.Read"/> found.</summary>
/// <param name="Problem">What is wrong, or <see cref="MnemonicProblem.None"/>.</param>
/// <param name="Number">The first unknown word, counted from 1; or how many words there were; else zero.</param>
public readonly record struct MnemonicReading(MnemonicProblem Problem, int Number)
{
    public bool IsValid => Problem == MnemonicProblem.None;

    /// <summary>One sentence for the user. It repeats no word.</summary>
    public override string ToString() => Problem switch
    {
        MnemonicProblem.None => "The mnemonic is valid.",
        MnemonicProblem.WordCount => string.Create(CultureInfo.InvariantCulture, $"A mnemonic has 12 or 24 words; this one has {Number}."),
        MnemonicProblem.UnknownWord => string.Create(CultureInfo.InvariantCulture, $"Word {Number} is not in the English word list."),
        _ => "Every word is in the list, but the checksum does not fit: a word was mistaken for another, or two are swapped.",
    };
}

/// <summary>Why a text is no mnemonic.</summary>
public enum MnemonicProblem
{
    None,
    WordCount,
    UnknownWord,
    Checksum,
}
