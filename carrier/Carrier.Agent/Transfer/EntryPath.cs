using System.Globalization;
using System.Text;

namespace Carrier.Agent.Transfer;

/// <summary>A relative path that was checked to be safe to create on any system: segments between slashes, none of which leaves its folder.</summary>
/// <remarks>
/// Refused everywhere, whatever this system would make of it, so that a folder arrives alike on all of them: empty segments, <c>.</c> and <c>..</c>,
/// absolute paths, <c>\</c>, <c>:</c> (drives, alternate streams), control characters, a trailing dot or space (Windows drops them and meets another
/// name), the DOS device names with any extension, and the name of our own staging folder, also where a file system ignores case and format characters.
/// </remarks>
internal sealed record EntryPath
{
    /// <summary>The folder half-done transfers are kept in; no peer may name it.</summary>
    public const string StagingName = ".carrier-partial";

    private static readonly string[] DeviceNames = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

    private EntryPath(string text) => Text = text;

    /// <summary>The path, segments divided by <c>/</c>.</summary>
    public string Text { get; }

    public string[] Segments => Text.Split('/');

    public static bool TryParse(string text, out EntryPath path)
    {
        path = new EntryPath(text);
        if (text.Length == 0 || Encoding.UTF8.GetByteCount(text) > TransferLimits.MaxPathBytes)
        {
            return false;
        }

        int depth = 0;
        foreach (Range segment in text.AsSpan().Split('/'))
        {
            if (++depth > TransferLimits.MaxDepth || !IsSafeName(text.AsSpan()[segment]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether <paramref name="name"/> is a safe name of a file or folder, on its own.</summary>
    public static bool IsSafeName(ReadOnlySpan<char> name)
    {
        if (name.IsEmpty || name is "." or ".." || name[^1] is '.' or ' ' || name.IndexOfAny(Path.GetInvalidFileNameChars()) >= 0)
        {
            return false;
        }

        if (Encoding.UTF8.GetByteCount(name) > TransferLimits.MaxNameBytes)
        {
            return false;
        }

        foreach (Rune rune in name.EnumerateRunes())
        {
            if (rune.Value is '/' or '\\' or ':' || rune == Rune.ReplacementChar || Rune.IsControl(rune)
                || Rune.GetUnicodeCategory(rune) is UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
            {
                return false;
            }
        }

        return !IsDeviceName(name) && !IsStagingName(name);
    }

    private static bool IsDeviceName(ReadOnlySpan<char> name)
    {
        int dot = name.IndexOf('.');
        ReadOnlySpan<char> stem = (dot < 0 ? name : name[..dot]).TrimEnd(' ');
        foreach (string device in DeviceNames)
        {
            if (stem.Equals(device, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return stem.Length == 4
            && (stem[..3].Equals("COM", StringComparison.OrdinalIgnoreCase) || stem[..3].Equals("LPT", StringComparison.OrdinalIgnoreCase))
            && (char.IsAsciiDigit(stem[3]) || stem[3] is '\u00B9' or '\u00B2' or '\u00B3');
    }

    private static bool IsStagingName(ReadOnlySpan<char> name)
    {
        var visible = new StringBuilder(name.Length);
        foreach (Rune rune in name.EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.Format)
            {
                visible.Append(rune);
            }
        }

        return visible.ToString().Equals(StagingName, StringComparison.OrdinalIgnoreCase);
    }
}
