using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Dht;

/// <content>What a serving node answers.</content>
public sealed partial class DhtMachine
{
    /// <summary>Contacts beside records: enough to go on, and room for most records in the same datagram.</summary>
    private const int ContactsBesideRecords = 8;

    /// <summary>A target is refused when k nodes we know are closer to it than this fraction of our own distance.</summary>
    private const double ClearlyCloser = 0.25;

    private readonly byte[] _body = new byte[SealedMessages.MaxDatagramBytes];
    private readonly List<DhtRecord> _page = [];

    private void Answer(Instant now, in Question question, ReadOnlySpan<byte> body)
    {
        if (_rpc.Serving is null)
        {
            _ = _rpc.Refuse(now, question, Refusal.NotServing);
            return;
        }

        switch ((DhtMethod)question.Method)
        {
            case DhtMethod.Ping:
                _ = _rpc.Answer(now, question, [0xA0]);
                break;
            case DhtMethod.FindNode or DhtMethod.Get:
                AnswerTarget(now, question, body);
                break;
            case DhtMethod.Put:
                AnswerPut(now, question, body);
                break;
            default:
                _ = _rpc.Refuse(now, question, Refusal.UnknownMethod);
                break;
        }

        if (question.Introduces is { } contact)
        {
            Check(now, contact);
        }
    }

    private void AnswerTarget(Instant now, in Question question, ReadOnlySpan<byte> body)
    {
        if (!TargetQuestion.TryParse(body, out TargetQuestion asked))
        {
            _rpc.Drops.Count(DropReason.Malformed);
            _ = _rpc.Refuse(now, question, Refusal.Malformed);
            return;
        }

        bool isGet = question.Method == (int)DhtMethod.Get;
        bool hasRecords = isGet && Store.Contains(asked.Target);
        int room = Math.Min(RpcMachine.AnswerRoomBytes(question), _body.Length);
        CborWriter writer = new(_body);
        int wanted = asked.HasCursor ? 0 : hasRecords ? ContactsBesideRecords : RoutingTable.K;
        int found = Table.Closest(asked.Target, question.Remote.Scope, _closest.AsSpan(0, wanted));

        const int TokenFieldBytes = 18;
        const int SmallFieldBytes = 1 + 1 + 2 + 2; // map, contacts' key and head, more
        const int RecordsHeadBytes = 1 + 1 + 3 + TargetQuestion.MaxCursorBytes;
        int contacts = CountFitting(found, room - SmallFieldBytes - (isGet ? TokenFieldBytes + RecordsHeadBytes : 0));
        bool more = contacts < found;
        ReadOnlyMemory<byte> cursor = asked.Cursor.ToArray();
        bool hasCursor = false;
        _page.Clear();
        if (hasRecords)
        {
            int left = room - SmallFieldBytes - TokenFieldBytes - RecordsHeadBytes - BytesOf(contacts);
            hasCursor = Store.TryReadPage(asked.Target, _clock.At(now), left, ref cursor, _page);
        }

        bool hasContacts = !asked.HasCursor;
        writer.WriteMap((hasContacts ? 1 : 0) + (isGet ? 1 : 0) + (_page.Count > 0 ? 1 : 0) + (hasCursor ? 1 : 0) + (more ? 1 : 0));
        if (hasContacts)
        {
            writer.WriteUInt(0);
            writer.WriteArray(contacts);
            for (int i = 0; i < contacts; i++)
            {
                _closest[i].Write(ref writer);
            }
        }

        if (isGet)
        {
            writer.WriteUInt(1);
            WriteToken(now, question, asked.Target, ref writer);
        }

        if (_page.Count > 0)
        {
            writer.WriteUInt(2);
            writer.WriteArray(_page.Count);
            foreach (DhtRecord record in _page)
            {
                writer.WriteRaw(record.Encoded.Span);
            }
        }

        if (hasCursor)
        {
            writer.WriteUInt(3);
            writer.WriteBytes(cursor.Span);
        }

        if (more)
        {
            writer.WriteUInt(4);
            writer.WriteBool(true);
        }

        _ = _rpc.Answer(now, question, writer.Encoded);
    }

    private void WriteToken(Instant now, in Question question, DhtKey target, ref CborWriter writer)
    {
        Span<byte> targetBytes = stackalloc byte[DhtKey.Bytes];
        Span<byte> token = stackalloc byte[AddressTokens.TokenBytes];
        target.CopyTo(targetBytes);
        _rpc.Tokens.IssueWrite(now, question.Remote, question.Asker, targetBytes, token);
        writer.WriteBytes(token);
    }

    private static int EncodedBytes(in Contact contact) => contact.Endpoint.IsIPv4 ? 2 + 39 : 2 + 51;

    private int BytesOf(int contacts)
    {
        int bytes = 0;
        for (int i = 0; i < contacts; i++)
        {
            bytes += EncodedBytes(_closest[i]);
        }

        return bytes;
    }

    private int CountFitting(int found, int room)
    {
        int count = 0;
        while (count < found && BytesOf(count + 1) <= room)
        {
            count++;
        }

        return count;
    }

    private void AnswerPut(Instant now, in Question question, ReadOnlySpan<byte> body)
    {
        if (!PutQuestion.TryParse(body, out PutQuestion put) || !DhtRecord.TryParse(put.Record, out DhtRecord? record))
        {
            _rpc.Drops.Count(DropReason.Malformed);
            _ = _rpc.Refuse(now, question, Refusal.Malformed);
            return;
        }

        DhtKey target = put.Target ?? record.Target;
        PutOutcome outcome = !IsWriteToken(now, question, target, put.WriteToken) ? PutOutcome.BadToken
            : IsFar(target) ? PutOutcome.TooFar
            : Store.Put(now, _clock.At(now), record, target, question.Remote, put.ExpectedSequence);
        if (outcome != PutOutcome.Stored)
        {
            _rpc.Drops.Count(ReasonOf(outcome));
        }

        CborWriter writer = new(_body);
        writer.WriteMap(1);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)outcome);
        _ = _rpc.Answer(now, question, writer.Encoded);
    }

    private bool IsWriteToken(Instant now, in Question question, DhtKey target, UInt128 token)
    {
        Span<byte> targetBytes = stackalloc byte[DhtKey.Bytes];
        Span<byte> tokenBytes = stackalloc byte[AddressTokens.TokenBytes];
        target.CopyTo(targetBytes);
        BinaryPrimitives.WriteUInt128BigEndian(tokenBytes, token);
        return _rpc.Tokens.TryVerifyWrite(now, question.Remote, question.Asker, targetBytes, tokenBytes);
    }

    private bool IsFar(DhtKey target)
    {
        int found = Table.Closest(target, AddressScope.Loopback, _closest);
        double own = Table.Centre.DistanceTo(target).Fraction;
        return found == RoutingTable.K && _closest[found - 1].Id.DistanceTo(target).Fraction < own * ClearlyCloser;
    }

    private static DropReason ReasonOf(PutOutcome outcome) => outcome switch
    {
        PutOutcome.StaleSequence or PutOutcome.SequenceMismatch => DropReason.StaleSequence,
        PutOutcome.Full => DropReason.Full,
        PutOutcome.TooFar => DropReason.UnknownTarget,
        PutOutcome.Expired => DropReason.Expired,
        PutOutcome.Revoked => DropReason.Revoked,
        PutOutcome.BadToken => DropReason.UnprovenAddress,
        PutOutcome.Busy => DropReason.OverBudget,
        _ => DropReason.BadSignature,
    };
}
