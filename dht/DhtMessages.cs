using Carrier.Core.Wire;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Dht;

/// <summary>The bodies of <see cref="DhtMethod.FindNode"/> and <see cref="DhtMethod.Get"/> questions.</summary>
/// <remarks>
/// <code>
/// 0  target   bytes, 20
/// 1  cursor   bytes, at most 32; only in a get: where the page to return begins, as the page before said
/// </code>
/// </remarks>
internal ref struct TargetQuestion
{
    public const int MaxCursorBytes = 32;

    public const int MaxBytes = 1 + 1 + 21 + 1 + 2 + MaxCursorBytes;

    public DhtKey Target;
    public bool HasCursor;
    public ReadOnlySpan<byte> Cursor;

    public static bool TryParse(ReadOnlySpan<byte> body, out TargetQuestion question)
    {
        question = default;
        CborReader reader = new(body);
        bool hasTarget = false;
        int key = -1;
        bool read = reader.TryReadMap(out int pairs);
        for (int i = 0; i < pairs && read; i++)
        {
            read = reader.TryReadKey(ref key);
            if (read && key == 0)
            {
                read = hasTarget = reader.TryReadBytes(DhtKey.Bytes, out ReadOnlySpan<byte> target);
                question.Target = read ? new DhtKey(target) : default;
            }
            else if (read && key == 1)
            {
                read = question.HasCursor = reader.TryReadBytes(out question.Cursor) && question.Cursor.Length <= MaxCursorBytes;
            }
            else
            {
                read = read && reader.TrySkip();
            }
        }

        return read && hasTarget && reader.AtEnd;
    }

    public readonly void Write(ref CborWriter writer)
    {
        Span<byte> target = stackalloc byte[DhtKey.Bytes];
        Target.CopyTo(target);
        writer.WriteMap(HasCursor ? 2 : 1);
        writer.WriteUInt(0);
        writer.WriteBytes(target);
        if (HasCursor)
        {
            writer.WriteUInt(1);
            writer.WriteBytes(Cursor);
        }
    }
}

/// <summary>The bodies of <see cref="DhtMethod.FindNode"/> and <see cref="DhtMethod.Get"/> answers.</summary>
/// <remarks>
/// <code>
/// 0  contacts   array of contacts, closest first, at most 20; absent in later pages
/// 1  token      bytes, 16: the write token for this asker, address and target; only in a get
/// 2  records    array of records; only in a get
/// 3  cursor     bytes: more records follow, ask again with this; only in a get
/// 4  more       true: contacts were left out because the address was not proven; ask again
/// </code>
/// </remarks>
internal ref struct TargetAnswer
{
    public const int MaxContacts = RoutingTable.K;

    /// <summary>The items of <c>contacts</c>, one after the other.</summary>
    public ReadOnlySpan<byte> Contacts;
    public int ContactCount;
    public UInt128? WriteToken;
    public ReadOnlySpan<byte> Records;
    public int RecordCount;
    public bool HasCursor;
    public ReadOnlySpan<byte> Cursor;
    public bool More;

    public static bool TryParse(ReadOnlySpan<byte> body, out TargetAnswer answer)
    {
        answer = default;
        CborReader reader = new(body);
        int key = -1;
        bool read = reader.TryReadMap(out int pairs);
        for (int i = 0; i < pairs && read; i++)
        {
            read = reader.TryReadKey(ref key) && key switch
            {
                0 => reader.TryReadItems(out answer.ContactCount, out answer.Contacts) && answer.ContactCount <= MaxContacts,
                1 => TryReadWriteToken(ref reader, out answer.WriteToken),
                2 => reader.TryReadItems(out answer.RecordCount, out answer.Records),
                3 => answer.HasCursor = reader.TryReadBytes(out answer.Cursor) && answer.Cursor.Length <= TargetQuestion.MaxCursorBytes,
                4 => reader.TryReadBool(out answer.More),
                _ => reader.TrySkip(),
            };
        }

        return read && reader.AtEnd;
    }

    private static bool TryReadWriteToken(ref CborReader reader, out UInt128? token)
    {
        bool read = AnswerMessage.TryReadToken(ref reader, out UInt128 value);
        token = read ? value : null;
        return read;
    }
}

/// <summary>The body of a <see cref="DhtMethod.Put"/> question.</summary>
/// <remarks>
/// <code>
/// 0  token      bytes, 16: the write token the receiver gave in a get for this target
/// 1  target     bytes, 20: where to keep a revocation; absent when the record says it
/// 2  record     one record
/// 3  expected   unsigned: the sequence the stored record must have (compare and swap); absent when any lower one will do
/// </code>
/// </remarks>
internal ref struct PutQuestion
{
    /// <summary>Everything but the record, at its longest.</summary>
    public const int MaxHeadBytes = 1 + 18 + 22 + 1 + 10;

    public UInt128 WriteToken;
    public DhtKey? Target;
    public ReadOnlySpan<byte> Record;
    public ulong? ExpectedSequence;

    public static bool TryParse(ReadOnlySpan<byte> body, out PutQuestion put)
    {
        put = default;
        CborReader reader = new(body);
        int key = -1;
        int required = 0;
        bool read = reader.TryReadMap(out int pairs);
        for (int i = 0; i < pairs && read; i++)
        {
            read = reader.TryReadKey(ref key) && key switch
            {
                0 => AnswerMessage.TryReadToken(ref reader, out put.WriteToken),
                1 => TryReadTarget(ref reader, out put.Target),
                2 => reader.TryReadRaw(out put.Record),
                3 => TryReadSequence(ref reader, out put.ExpectedSequence),
                _ => reader.TrySkip(),
            };
            required += key is 0 or 2 ? 1 : 0;
        }

        return read && required == 2 && reader.AtEnd;
    }

    public readonly void Write(ref CborWriter writer)
    {
        writer.WriteMap(2 + (Target is null ? 0 : 1) + (ExpectedSequence is null ? 0 : 1));
        writer.WriteUInt(0);
        AnswerMessage.WriteToken(ref writer, WriteToken);
        if (Target is { } target)
        {
            Span<byte> bytes = stackalloc byte[DhtKey.Bytes];
            target.CopyTo(bytes);
            writer.WriteUInt(1);
            writer.WriteBytes(bytes);
        }

        writer.WriteUInt(2);
        writer.WriteRaw(Record);
        if (ExpectedSequence is { } expected)
        {
            writer.WriteUInt(3);
            writer.WriteUInt(expected);
        }
    }

    private static bool TryReadTarget(ref CborReader reader, out DhtKey? target)
    {
        bool read = reader.TryReadBytes(DhtKey.Bytes, out ReadOnlySpan<byte> bytes);
        target = read ? new DhtKey(bytes) : null;
        return read;
    }

    private static bool TryReadSequence(ref CborReader reader, out ulong? sequence)
    {
        bool read = reader.TryReadUInt(out ulong value);
        sequence = read ? value : null;
        return read;
    }
}
