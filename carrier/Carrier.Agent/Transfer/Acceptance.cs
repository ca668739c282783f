using Carrier.Core.Wire;

namespace Carrier.Agent.Transfer;

/// <summary>The receiver's yes to an offer, and what it has of it already.</summary>
/// <remarks>
/// <code>
///  CBOR map
///   0  message  uint   3
///   1  partial  array  entry, bytes, entry, bytes …   durable bytes of entries begun, > 0, entries ascending
///   2  whole    array  entry, entry …                 entries received and verified before, ascending
///   3… unknown keys    skipped
/// </code>
/// </remarks>
internal sealed class Acceptance(IReadOnlyDictionary<int, long> partial, IReadOnlySet<int> whole)
{
    private const int KnownKeys = 3;

    /// <summary>The longest encoding: every entry named with the longest numbers.</summary>
    public static int MaxBytes(int entries) => 32 + (14 * entries);

    /// <summary>Durable bytes of the entries that were begun; the sender goes on behind them.</summary>
    public IReadOnlyDictionary<int, long> Partial { get; } = partial;

    public IReadOnlySet<int> Whole { get; } = whole;

    public byte[] Encode()
    {
        byte[] buffer = new byte[MaxBytes(Partial.Count + Whole.Count)];
        var writer = new CborWriter(buffer);
        writer.WriteMap(KnownKeys);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)MessageKind.Accept);
        writer.WriteUInt(1);
        writer.WriteArray(2 * Partial.Count);
        foreach (KeyValuePair<int, long> entry in Partial.OrderBy(pair => pair.Key))
        {
            writer.WriteUInt((ulong)entry.Key);
            writer.WriteUInt((ulong)entry.Value);
        }

        writer.WriteUInt(2);
        writer.WriteArray(Whole.Count);
        foreach (int entry in Whole.Order())
        {
            writer.WriteUInt((ulong)entry);
        }

        return writer.Encoded.ToArray();
    }

    /// <summary>Reads an acceptance of <paramref name="offer"/>; false also when it claims more than was offered.</summary>
    public static bool TryParse(ReadOnlySpan<byte> encoded, Offer offer, out Acceptance? acceptance)
    {
        acceptance = null;
        var reader = new CborReader(encoded);
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs < KnownKeys
            || !reader.TryReadKey(ref key) || key != 0 || !reader.TryReadUInt(out ulong message) || message != (ulong)MessageKind.Accept
            || !reader.TryReadKey(ref key) || key != 1 || !TryReadPartial(ref reader, offer, out Dictionary<int, long> partial)
            || !reader.TryReadKey(ref key) || key != 2 || !TryReadWhole(ref reader, offer, out HashSet<int> whole)
            || whole.Overlaps(partial.Keys))
        {
            return false;
        }

        for (int i = KnownKeys; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key) || !reader.TrySkip())
            {
                return false;
            }
        }

        acceptance = new Acceptance(partial, whole);
        return reader.AtEnd;
    }

    private static bool TryReadPartial(ref CborReader reader, Offer offer, out Dictionary<int, long> partial)
    {
        partial = [];
        if (!reader.TryReadArray(out int items) || (items & 1) != 0)
        {
            return false;
        }

        int previous = -1;
        for (int i = 0; i < items; i += 2)
        {
            if (!TryReadEntry(ref reader, offer, ref previous) || !reader.TryReadUInt(out ulong bytes)
                || bytes == 0 || offer.Entries[previous].Size is not { } size || bytes > (ulong)size)
            {
                return false;
            }

            partial.Add(previous, (long)bytes);
        }

        return true;
    }

    private static bool TryReadWhole(ref CborReader reader, Offer offer, out HashSet<int> whole)
    {
        whole = [];
        if (!reader.TryReadArray(out int items))
        {
            return false;
        }

        int previous = -1;
        for (int i = 0; i < items; i++)
        {
            if (!TryReadEntry(ref reader, offer, ref previous))
            {
                return false;
            }

            whole.Add(previous);
        }

        return true;
    }

    private static bool TryReadEntry(ref CborReader reader, Offer offer, ref int previous)
    {
        if (!reader.TryReadUInt(out ulong entry) || entry >= (ulong)offer.Entries.Count || (int)entry <= previous)
        {
            return false;
        }

        previous = (int)entry;
        return true;
    }
}
