using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;
using static Carrier.Tests.Crypto.CryptoVectors;

namespace Carrier.Tests.Protocol;

/// <summary>Vectors/dht/messages.txt, made without Carrier's code: it reads them as they are meant and writes the same bytes.</summary>
public sealed class DhtVectorTests
{
    private static readonly Dictionary<string, byte[]> Vectors = Read("messages.txt", "dht");
    private static readonly UnixTime Wall = new(1_800_000_100);

    public static TheoryData<string> Questions => [.. Vectors.Keys.Where(name => name.EndsWith("-question", StringComparison.Ordinal))];

    public static TheoryData<string> Answers => [.. Vectors.Keys.Where(name => name.EndsWith("-answer", StringComparison.Ordinal))];

    [Theory]
    [InlineData("contact-ipv4")]
    [InlineData("contact-ipv6")]
    public void Contact_is_read_and_its_node_id_follows(string name)
    {
        byte[] bytes = Vectors[name];
        CborWriter item = new(new byte[64]);
        item.WriteBytes(bytes);
        CborReader reader = new(item.Encoded);
        Assert.True(Contact.TryRead(ref reader, out Contact contact));
        Span<byte> id = stackalloc byte[DhtKey.Bytes];
        contact.Id.CopyTo(id);
        AssertHex(Vectors[name + "-node-id"], id);
        CborWriter written = new(new byte[64]);
        contact.Write(ref written);
        AssertHex(item.Encoded.ToArray(), written.Encoded);
    }

    [Theory]
    [InlineData("record-immutable", "record-immutable-target")]
    [InlineData("record-signed", "record-signed-target")]
    [InlineData("record-salted", "record-salted-target")]
    [InlineData("record-revocation", "record-signed-target")]
    public void Record_verifies_and_belongs_at_its_target(string name, string target)
    {
        Assert.True(DhtRecord.TryParse(Vectors[name], out DhtRecord? record));
        Assert.Equal(RecordVerdict.Valid, record.Verify(Wall, serialFloor: 0));
        Span<byte> at = stackalloc byte[DhtKey.Bytes];
        record.Target.CopyTo(at);
        AssertHex(Vectors[target], at);
        AssertHex(Vectors[name], record.Encoded.Span);
    }

    [Theory]
    [MemberData(nameof(Questions))]
    public void Question_and_its_body_are_read_and_written_the_same(string name)
    {
        byte[] bytes = Vectors[name];
        Assert.True(QuestionMessage.TryParse(bytes, out QuestionMessage question));
        CborWriter body = new(new byte[bytes.Length]);
        switch ((DhtMethod)question.Method)
        {
            case DhtMethod.Ping:
                body.WriteMap(0);
                break;
            case DhtMethod.Put:
                Assert.True(PutQuestion.TryParse(question.Body, out PutQuestion put));
                put.Write(ref body);
                break;
            default:
                Assert.True(TargetQuestion.TryParse(question.Body, out TargetQuestion asked));
                asked.Write(ref body);
                break;
        }

        AssertHex(question.Body.ToArray(), body.Encoded);
        CborWriter written = new(new byte[bytes.Length]);
        question.Write(ref written);
        AssertHex(bytes, written.Encoded);
    }

    [Theory]
    [MemberData(nameof(Answers))]
    public void Answer_is_read_and_written_the_same(string name)
    {
        byte[] bytes = Vectors[name];
        Assert.True(AnswerMessage.TryParse(bytes, out AnswerMessage answer));
        Assert.Equal(Endpoint.FromIPv4(0xCB00_7107, 4000), answer.Observed);
        Assert.Equal(name == "refusal-answer" ? Refusal.NotServing : Refusal.None, answer.Refusal);
        CborWriter written = new(new byte[bytes.Length]);
        answer.Write(ref written);
        AssertHex(bytes, written.Encoded);
    }

    [Fact]
    public void Answers_to_find_node_and_get_hold_what_the_document_says()
    {
        Assert.True(AnswerMessage.TryParse(Vectors["find-node-answer"], out AnswerMessage found));
        Assert.True(TargetAnswer.TryParse(found.Body, out TargetAnswer nodes));
        Assert.Equal((2, true, 0), (nodes.ContactCount, nodes.More, nodes.RecordCount));
        Assert.True(AnswerMessage.TryParse(Vectors["get-answer"], out AnswerMessage got));
        Assert.True(TargetAnswer.TryParse(got.Body, out TargetAnswer page));
        Assert.Equal((1, 2, true), (page.ContactCount, page.RecordCount, page.HasCursor));
        Assert.NotNull(page.WriteToken);
    }
}
