using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Fuzz.Targets;

/// <summary>Every parser of the DHT: none throws, and what it takes it writes back the same.</summary>
public static class DhtTargets
{
    public static void Record(ReadOnlySpan<byte> data)
    {
        if (DhtRecord.TryParse(data, out DhtRecord? record))
        {
            Assert.True(data.SequenceEqual(record.Encoded.Span));
            _ = record.Target;
        }
    }

    public static void ContactItem(ReadOnlySpan<byte> data)
    {
        CborReader reader = new(data);
        if (Contact.TryRead(ref reader, out Contact contact))
        {
            CborWriter writer = new(stackalloc byte[Contact.MaxEncodedBytes + 2]);
            contact.Write(ref writer);
            Assert.True(data.StartsWith(writer.Encoded));
        }
    }

    public static void Question(ReadOnlySpan<byte> data)
    {
        if (QuestionMessage.TryParse(data, out QuestionMessage question))
        {
            CborWriter writer = new(new byte[data.Length]);
            question.Write(ref writer);
            Assert.True(QuestionMessage.TryParse(writer.Encoded, out _));
        }
    }

    public static void Answer(ReadOnlySpan<byte> data)
    {
        if (AnswerMessage.TryParse(data, out AnswerMessage answer))
        {
            CborWriter writer = new(new byte[data.Length]);
            answer.Write(ref writer);
            Assert.True(AnswerMessage.TryParse(writer.Encoded, out _));
        }
    }

    public static void Bodies(ReadOnlySpan<byte> data)
    {
        _ = TargetQuestion.TryParse(data, out _);
        _ = TargetAnswer.TryParse(data, out _);
        _ = PutQuestion.TryParse(data, out _);
    }
}
