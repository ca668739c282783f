using Carrier.Core.Wire;
using Carrier.Dht.Records;

namespace Carrier.Node.Homes;

/// <summary>The body of an answer to <c>proxy get</c>: what the home's lookup found, for the device to verify.</summary>
/// <remarks>
/// <code>
/// { 1: [records], 2: whether more are left (bool) }
/// </code>
/// No records mean that none were found. Unknown keys are skipped.
/// </remarks>
public readonly ref struct ProxyGetAnswer
{
    private const int HeadBytes = 1 + 1 + 3 + 1 + 1;

    /// <summary>The records' encodings, one after the other.</summary>
    public ReadOnlySpan<byte> Records { get; init; }

    public int Count { get; init; }

    public bool HasMore { get; init; }

    /// <summary>Writes as many records after the first <paramref name="skip"/> as fit the destination; returns the bytes written, zero when not even the head fits.</summary>
    public static int Encode(IReadOnlyList<DhtRecord> records, int skip, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(records);
        int end = Math.Min(skip, records.Count);
        for (int room = destination.Length - HeadBytes; end < records.Count && records[end].Encoded.Length <= room; end++)
        {
            room -= records[end].Encoded.Length;
        }

        CborWriter writer = new(destination);
        writer.WriteMap(2);
        writer.WriteUInt(1);
        writer.WriteArray(Math.Max(0, end - skip));
        for (int i = skip; i < end; i++)
        {
            writer.WriteRaw(records[i].Encoded.Span);
        }

        writer.WriteUInt(2);
        writer.WriteBool(end < records.Count);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out ProxyGetAnswer answer)
    {
        answer = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ReadOnlySpan<byte> records = default;
        (int count, bool more) = (0, false);
        (int key, int known) = (-1, 0);
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadItems(out count, out records),
                2 => reader.TryReadBool(out more),
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            known += key is 1 or 2 ? 1 : 0;
        }

        answer = new() { Records = records, Count = count, HasMore = more };
        return reader.AtEnd && known == 2;
    }
}
