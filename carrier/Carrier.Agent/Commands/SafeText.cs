using System.Globalization;
using System.Text;

namespace Carrier.Agent.Commands;

/// <summary>Peer-given text made fit for a terminal: what could move the cursor, set colours, turn the reading direction or forge a line is shown as its number.</summary>
internal static class SafeText
{
    /// <summary>Longer text is cut: a name must not fill the screen.</summary>
    public const int MaxRunes = 200;

    public static string Of(string text)
    {
        var safe = new StringBuilder(text.Length);
        int runes = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (++runes > MaxRunes)
            {
                return safe.Append('…').ToString();
            }

            bool shows = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
            _ = shows ? safe.Append(rune) : safe.Append(CultureInfo.InvariantCulture, $"<U+{rune.Value:X4}>");
        }

        return safe.ToString();
    }
}
