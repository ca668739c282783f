using System.Buffers;
using Carrier.Core.Wire;

namespace Carrier.Agent.Transfer;

/// <summary>What a sender wants to send: one file, or a folder and everything in it. Immutable.</summary>
/// <remarks>
/// <code>
///  CBOR map
///   0  message  uint   1
///   1  version  uint   1
///   2  folder   bool   a folder named below holds the entries; else there is one entry, a file, and its path is the name
///   3  name     text   1 … 240 bytes of UTF-8, one safe name
///   4  entries  array  1 … 100,000 of entries (a folder may have none); no path twice, no file where another entry needs a folder
///   5… unknown keys    skipped
/// </code>
/// </remarks>
internal sealed class Offer
{
    private const int Version = 1;
    private const int KnownKeys = 5;
    private const int HeadBytes = 64;

    private Offer(bool isFolder, string name, IReadOnlyList<OfferEntry> entries)
    {
        IsFolder = isFolder;
        Name = name;
        Entries = entries;
        HasUnknownSize = entries.Any(entry => entry.Size is null);
    }

    public bool IsFolder { get; }

    public string Name { get; }

    public IReadOnlyList<OfferEntry> Entries { get; }

    /// <summary>The sum of the sizes that are known.</summary>
    public long TotalBytes { get; private init; }

    public bool HasUnknownSize { get; }

    /// <summary>Makes an offer of what was scanned; false when it breaks the rules every receiver holds it to.</summary>
    public static OfferReading TryCreate(bool isFolder, string name, IReadOnlyList<OfferEntry> entries, out Offer? offer)
    {
        offer = null;
        if (!EntryPath.IsSafeName(name))
        {
            return OfferReading.UnsafePath;
        }

        if (entries.Count > TransferLimits.MaxEntries)
        {
            return OfferReading.TooLarge;
        }

        if (!isFolder && (entries.Count != 1 || entries[0].Kind == EntryKind.Folder || entries[0].Path.Text != name))
        {
            return OfferReading.Malformed;
        }

        if (!HaveRoomForEachOther(entries))
        {
            return OfferReading.UnsafePath;
        }

        long total = 0;
        foreach (OfferEntry entry in entries)
        {
            long size = entry.Size ?? 0;
            if (size > long.MaxValue - total)
            {
                return OfferReading.TooLarge;
            }

            total += size;
        }

        offer = new Offer(isFolder, name, entries) { TotalBytes = total };
        return OfferReading.Read;
    }

    public static OfferReading TryParse(ReadOnlySpan<byte> encoded, out Offer? offer)
    {
        offer = null;
        var reader = new CborReader(encoded);
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs < KnownKeys
            || !reader.TryReadKey(ref key) || key != 0 || !reader.TryReadUInt(out ulong message) || message != (ulong)MessageKind.Offer
            || !reader.TryReadKey(ref key) || key != 1 || !reader.TryReadUInt(out ulong version))
        {
            return OfferReading.Malformed;
        }

        if (version != Version)
        {
            return OfferReading.UnknownVersion;
        }

        if (!reader.TryReadKey(ref key) || key != 2 || !reader.TryReadBool(out bool isFolder)
            || !reader.TryReadKey(ref key) || key != 3 || !reader.TryReadText(TransferLimits.MaxNameBytes, out string name)
            || !reader.TryReadKey(ref key) || key != 4 || !reader.TryReadArray(out int count))
        {
            return OfferReading.Malformed;
        }

        if (count > TransferLimits.MaxEntries)
        {
            return OfferReading.TooLarge;
        }

        var entries = new OfferEntry[count];
        for (int i = 0; i < count; i++)
        {
            OfferReading reading = OfferEntry.TryRead(ref reader, out OfferEntry? entry);
            if (reading != OfferReading.Read)
            {
                return reading;
            }

            entries[i] = entry!;
        }

        for (int i = KnownKeys; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key) || !reader.TrySkip())
            {
                return OfferReading.Malformed;
            }
        }

        return reader.AtEnd ? TryCreate(isFolder, name, entries, out offer) : OfferReading.Malformed;
    }

    /// <summary>The encoding, which also names the transfer; null when it outgrows <see cref="TransferLimits.MaxOfferBytes"/>.</summary>
    public byte[]? Encode()
    {
        long worst = HeadBytes + TransferLimits.MaxNameBytes;
        foreach (OfferEntry entry in Entries)
        {
            worst += OfferEntry.MaxBytes - TransferLimits.MaxPathBytes + (3L * entry.Path.Text.Length);
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(worst, TransferLimits.MaxOfferBytes));
        var writer = new CborWriter(buffer.AsSpan(0, Math.Min(buffer.Length, TransferLimits.MaxOfferBytes)));
        writer.WriteMap(KnownKeys);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)MessageKind.Offer);
        writer.WriteUInt(1);
        writer.WriteUInt(Version);
        writer.WriteUInt(2);
        writer.WriteBool(IsFolder);
        writer.WriteUInt(3);
        writer.WriteText(Name);
        writer.WriteUInt(4);
        writer.WriteArray(Entries.Count);
        foreach (OfferEntry entry in Entries)
        {
            entry.Write(ref writer);
        }

        byte[]? encoded = writer.Overflowed ? null : writer.Encoded.ToArray();
        ArrayPool<byte>.Shared.Return(buffer);
        return encoded;
    }

    /// <summary>No path twice, and no file in the way of another entry's folder, also where a file system ignores case.</summary>
    /// <remarks>Two files whose names differ in case or normalization only are let through: where they clash the second gets a number, as any name that is taken.</remarks>
    private static bool HaveRoomForEachOther(IReadOnlyList<OfferEntry> entries)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        var files = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (OfferEntry entry in entries)
        {
            if (!paths.Add(entry.Path.Text))
            {
                return false;
            }

            if (entry.Kind != EntryKind.Folder)
            {
                files.Add(entry.Path.Text);
            }
        }

        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> filesBySpan = files.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (OfferEntry entry in entries)
        {
            string path = entry.Path.Text;
            if (entry.Kind == EntryKind.Folder && files.Contains(path))
            {
                return false;
            }

            for (int slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
            {
                if (filesBySpan.Contains(path.AsSpan(0, slash)))
                {
                    return false;
                }
            }
        }

        return true;
    }
}

/// <summary>What became of reading an offer.</summary>
internal enum OfferReading
{
    Read,
    Malformed,
    UnknownVersion,

    /// <summary>A name that must not be created here, or two that stand in each other's way.</summary>
    UnsafePath,

    /// <summary>Too many entries, or more bytes than a 64-bit count holds.</summary>
    TooLarge,
}
