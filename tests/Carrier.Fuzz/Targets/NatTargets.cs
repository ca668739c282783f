using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Relay;

namespace Carrier.Fuzz.Targets;

/// <summary>Fuzz targets of STUN, candidates, homes and relay: each parses, and checks that what was accepted says the same when written again.</summary>
public static class NatTargets
{
    private static readonly Endpoint Remote = Endpoint.FromIPv4(0xCB00_7107, 61000);

    public static void StunMessageParse(ReadOnlySpan<byte> data)
    {
        if (StunMessage.TryParse(data, out StunMessage message))
        {
            Assert.Equal(StunMessage.TransactionIdBytes, message.TransactionId.Length);
            Assert.InRange(message.UnknownRequired.Length, 0, StunMessage.MaxUnknown);
            Assert.True(message.ErrorCode is 0 or (>= 300 and <= 699));
        }
    }

    public static void StunServerAnswer(ReadOnlySpan<byte> data)
    {
        StunServer server = new(new SeededRandom(1), new DropCounters());
        byte[] answer = new byte[StunServer.MaxAnswerBytes];
        if (server.TryAnswer(Instant.Zero, Remote, data, answer, out int bytes))
        {
            Assert.True(bytes <= data.Length * 8 / 5, "an IPv4 answer exceeds 1.6 times its request");
            Assert.True(StunMessage.TryParse(answer.AsSpan(0, bytes), out StunMessage message));
            Assert.True(message.TransactionId.SequenceEqual(data.Slice(8, 12)));
        }
    }

    public static void CandidateList(ReadOnlySpan<byte> data)
    {
        Span<Candidate> candidates = stackalloc Candidate[Candidate.MaxListed];
        if (Candidate.TryReadList(data, candidates, out int count))
        {
            Span<byte> again = stackalloc byte[Candidate.MaxListBytes];
            Assert.True(Candidate.TryWriteList(candidates[..count], again, out int bytes));
            Assert.True(bytes <= data.Length); // kinds yet unknown were left out
        }
    }

    public static void NatDescriptionRead(ReadOnlySpan<byte> data)
    {
        if (NatDescription.TryRead(data, out NatDescription description))
        {
            byte[] again = new byte[NatDescription.Bytes];
            description.Write(again);
            Assert.True(NatDescription.TryRead(again, out NatDescription second));
            Assert.Equal(description, second);
            Walk(new PortProbes(Instant.Zero, description, new SeededRandom(1)));
        }
    }

    public static void PunchCallRead(ReadOnlySpan<byte> data)
    {
        if (PunchCall.TryRead(data, out PunchCall call))
        {
            byte[] again = new byte[PunchCall.Bytes];
            call.Write(again);
            Assert.True(PunchCall.TryRead(again, out PunchCall second));
            Assert.Equal(call, second);
            Assert.Equal(AddressScope.Global, call.Address.Scope);
        }
    }

    public static void DeviceRecordParse(ReadOnlySpan<byte> data)
    {
        if (DeviceRecord.TryParse(data, out DeviceRecord record))
        {
            byte[] again = new byte[DeviceRecord.MaxBytes];
            int bytes = record.Encode(again);
            Assert.InRange(bytes, 1, data.Length);
            Assert.True(DeviceRecord.TryParse(again.AsSpan(0, bytes), out DeviceRecord second));
            Assert.Equal(record.Candidates, second.Candidates);
            Assert.Equal(record.Homes, second.Homes);
            Assert.Equal((record.Mapping, record.Capabilities), (second.Mapping, second.Capabilities));
        }
    }

    public static void RegisterQuestionParse(ReadOnlySpan<byte> data)
    {
        if (RegisterQuestion.TryParse(data, out RegisterQuestion question))
        {
            byte[] again = new byte[RegisterQuestion.MaxBytes];
            Assert.InRange(question.Encode(again), 1, data.Length);
        }
    }

    public static void RegisterAnswerParse(ReadOnlySpan<byte> data)
    {
        if (RegisterAnswer.TryParse(data, out RegisterAnswer answer))
        {
            byte[] again = new byte[RegisterAnswer.MaxBytes];
            int bytes = answer.Encode(again);
            Assert.True(RegisterAnswer.TryParse(again.AsSpan(0, bytes), out RegisterAnswer second));
            Assert.Equal(answer, second);
        }
    }

    public static void ConnectQuestionParse(ReadOnlySpan<byte> data)
    {
        if (ConnectQuestion.TryParse(data, out ConnectQuestion question))
        {
            byte[] again = new byte[ConnectQuestion.MaxBytes];
            Assert.InRange(question.Encode(again), 1, data.Length);
        }
    }

    public static void ConnectAnswerParse(ReadOnlySpan<byte> data)
    {
        if (ConnectAnswer.TryParse(data, out ConnectAnswer answer))
        {
            byte[] again = new byte[ConnectAnswer.MaxBytes];
            int bytes = answer.Encode(again);
            Assert.True(ConnectAnswer.TryParse(again.AsSpan(0, bytes), out ConnectAnswer second));
            Assert.Equal(answer, second);
        }
    }

    public static void KnockQuestionParse(ReadOnlySpan<byte> data)
    {
        if (KnockQuestion.TryParse(data, out KnockQuestion question))
        {
            byte[] again = new byte[KnockQuestion.MaxBytes];
            Assert.InRange(question.Encode(again), 1, data.Length);
            Assert.NotEqual(0, question.Port);
        }
    }

    public static void KnockLaterQuestionParse(ReadOnlySpan<byte> data)
    {
        if (KnockLaterQuestion.TryParse(data, out KnockLaterQuestion question))
        {
            byte[] again = new byte[KnockLaterQuestion.MaxBytes];
            Assert.InRange(question.Encode(again), 1, data.Length);
            Assert.InRange(question.DelaySeconds, 1, KnockLaterQuestion.MaxDelaySeconds);
        }
    }

    public static void KnockAnswerParse(ReadOnlySpan<byte> data)
    {
        if (KnockAnswer.TryParse(data, out KnockAnswer answer))
        {
            byte[] again = new byte[KnockAnswer.MaxBytes];
            int bytes = answer.Encode(again);
            Assert.True(KnockAnswer.TryParse(again.AsSpan(0, bytes), out KnockAnswer second));
            Assert.Equal(answer, second);
        }
    }

    public static void ProxyGetQuestionParse(ReadOnlySpan<byte> data)
    {
        if (ProxyGetQuestion.TryParse(data, out ProxyGetQuestion question))
        {
            byte[] again = new byte[ProxyGetQuestion.MaxBytes];
            int bytes = question.Encode(again);
            Assert.InRange(bytes, 1, data.Length);
            Assert.True(ProxyGetQuestion.TryParse(again.AsSpan(0, bytes), out ProxyGetQuestion second));
            Assert.Equal(question, second);
        }
    }

    public static void ProxyGetAnswerParse(ReadOnlySpan<byte> data)
    {
        if (ProxyGetAnswer.TryParse(data, out ProxyGetAnswer answer))
        {
            CborReader reader = new(answer.Records);
            for (int i = 0; i < answer.Count; i++)
            {
                Assert.True(reader.TryReadRaw(out _));
            }

            Assert.True(reader.AtEnd);
        }
    }

    public static void ProxyPutQuestionParse(ReadOnlySpan<byte> data)
    {
        if (ProxyPutQuestion.TryParse(data, out ProxyPutQuestion question))
        {
            byte[] again = new byte[ProxyPutQuestion.MaxBytes];
            Assert.InRange(question.Encode(again), 1, data.Length);
        }
    }

    public static void ProxyPutAnswerParse(ReadOnlySpan<byte> data)
    {
        if (ProxyPutAnswer.TryParse(data, out ProxyPutAnswer answer))
        {
            byte[] again = new byte[ProxyPutAnswer.MaxBytes];
            int bytes = answer.Encode(again);
            Assert.True(ProxyPutAnswer.TryParse(again.AsSpan(0, bytes), out ProxyPutAnswer second));
            Assert.Equal(answer, second);
        }
    }

    // Whatever a peer says of its ports, the probes end, and none goes to port zero.
    private static void Walk(PortProbes probes)
    {
        int taken = 0;
        while (probes.TryTake(new Instant(long.MaxValue / 2), out ushort port))
        {
            Assert.NotEqual(0, port);
            Assert.True(++taken <= PunchPlan.MaxProbes);
        }

        Assert.True(probes.IsOver);
    }

    public static void RelayHandle(ReadOnlySpan<byte> data)
    {
        RelayMachine relay = new(RelayBudgets.Unlimited, new SeededRandom(1), new DropCounters());
        relay.Handle(Instant.Zero, Remote, data.ToArray(), Math.Max(1, data.Length / 2));
        Assert.False(relay.TryTransmit(Instant.Zero, new byte[RelayMachine.MaxDatagramBytes], out _)); // no channel, nothing leaves
    }
}
