using Carrier.Chain.Primitives;

namespace Carrier.Chain.Transactions;

/// <summary>Bytes anchored on the chain: a type that says whose they are, and the content.</summary>
public readonly record struct RecordPayload(ReadOnlyMemory<byte> Type, ReadOnlyMemory<byte> Content)
{
    /// <summary>Reads the payload of a Record transaction.</summary>
    public static bool TryRead(Transaction transaction, out RecordPayload record)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        record = default;
        if (transaction.Type != TransactionType.Record)
        {
            return false;
        }

        var reader = new ByteReader(transaction.Payload.Span);
        if (!reader.TryReadBytes(TransactionLimits.MaxTextBytes, out ReadOnlySpan<byte> type)
            || !reader.TryReadBytes(TransactionLimits.MaxRecordBytes, out ReadOnlySpan<byte> content)
            || !reader.AtEnd)
        {
            return false;
        }

        record = new RecordPayload(type.ToArray(), content.ToArray());
        return true;
    }

    public byte[] Encode()
    {
        var writer = new ByteWriter(Type.Length + Content.Length + 8);
        writer.WriteBytes(Type.Span);
        writer.WriteBytes(Content.Span);
        return writer.ToArray();
    }

    public bool Equals(RecordPayload other) => Type.Span.SequenceEqual(other.Type.Span) && Content.Span.SequenceEqual(other.Content.Span);

    public override int GetHashCode() => HashCode.Combine(Type.Length, Content.Length);
}
