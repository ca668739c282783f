using Carrier.Core.Wire;
using Carrier.Dht.Records;

namespace Carrier.Node.Homes;

/// <summary>The body of <c>proxy put</c>: store a record of a device registered here with the nodes it belongs to, some of which the device has no route to.</summary>
/// <remarks>
/// <code>
/// { 1: a signed record, whose delegation names the device's exchange key }
/// </code>
/// Unknown keys are skipped.
/// </remarks>
public readonly ref struct ProxyPutQuestion
{
    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = 1 + 1 + DhtRecord.MaxBytes;

    /// <summary>As encoded.</summary>
    public ReadOnlySpan<byte> Record { get; init; }

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(1);
        writer.WriteUInt(1);
        writer.WriteRaw(Record);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out ProxyPutQuestion question)
    {
        question = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ReadOnlySpan<byte> record = default;
        int key = -1;
        for (int i = 0; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key) || !(key == 1 ? reader.TryReadRaw(out record) : reader.TrySkip()))
            {
                return false;
            }
        }

        question = new() { Record = record };
        return reader.AtEnd && record.Length is > 0 and <= DhtRecord.MaxBytes;
    }
}
