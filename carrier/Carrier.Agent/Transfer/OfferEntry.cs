using Carrier.Core.Wire;

namespace Carrier.Agent.Transfer;

/// <summary>One file or folder of an offer.</summary>
/// <param name="Modified">Milliseconds since 1970-01-01 UTC: part of what tells one offer from another, and set on the file that arrives.</param>
/// <param name="Size">Bytes, or null when the sender reads a stream and does not know; zero for a folder.</param>
/// <remarks>
/// <code>
///  CBOR map
///   0  path      text   1 … 1,024 bytes of UTF-8, segments divided by "/"
///   1  kind      uint   0 file, 1 executable file, 2 folder
///   2  modified  uint   milliseconds since 1970, 0 … 253,402,300,799,999
///   3  size      uint   bytes; absent when unknown, and for a folder
///   4… unknown keys     skipped
/// </code>
/// </remarks>
internal sealed record OfferEntry(EntryPath Path, EntryKind Kind, long Modified, long? Size)
{
    /// <summary>The last millisecond of the year 9999, beyond which a date cannot be set.</summary>
    public const long MaxModified = 253_402_300_799_999;

    /// <summary>The longest encoding: heads and numbers beside the path.</summary>
    public const int MaxBytes = TransferLimits.MaxPathBytes + 32;

    public void Write(ref CborWriter writer)
    {
        writer.WriteMap(Kind == EntryKind.Folder || Size is null ? 3 : 4);
        writer.WriteUInt(0);
        writer.WriteText(Path.Text);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Kind);
        writer.WriteUInt(2);
        writer.WriteUInt((ulong)Modified);
        if (Kind != EntryKind.Folder && Size is { } size)
        {
            writer.WriteUInt(3);
            writer.WriteUInt((ulong)size);
        }
    }

    public static OfferReading TryRead(ref CborReader reader, out OfferEntry? entry)
    {
        entry = null;
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs < 3
            || !reader.TryReadKey(ref key) || key != 0 || !reader.TryReadText(TransferLimits.MaxPathBytes, out string text)
            || !reader.TryReadKey(ref key) || key != 1 || !reader.TryReadUInt(out ulong kind) || kind > (ulong)EntryKind.Folder
            || !reader.TryReadKey(ref key) || key != 2 || !reader.TryReadUInt(out ulong modified) || modified > MaxModified)
        {
            return OfferReading.Malformed;
        }

        long? size = kind == (ulong)EntryKind.Folder ? 0 : null;
        for (int i = 3; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key))
            {
                return OfferReading.Malformed;
            }

            if (key != 3)
            {
                if (!reader.TrySkip())
                {
                    return OfferReading.Malformed;
                }
            }
            else if (kind == (ulong)EntryKind.Folder || !reader.TryReadUInt(out ulong bytes) || bytes > long.MaxValue)
            {
                return OfferReading.Malformed;
            }
            else
            {
                size = (long)bytes;
            }
        }

        if (!EntryPath.TryParse(text, out EntryPath path))
        {
            return OfferReading.UnsafePath;
        }

        entry = new OfferEntry(path, (EntryKind)kind, (long)modified, size);
        return OfferReading.Read;
    }
}

/// <summary>What an entry is. Of a file's mode only "may be run" travels: the rest is the receiver's to decide.</summary>
internal enum EntryKind
{
    File = 0,
    Executable = 1,
    Folder = 2,
}
