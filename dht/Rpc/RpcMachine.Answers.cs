using System.Buffers;
using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Rpc;

/// <content>The answering half: questions in, answers out.</content>
public sealed partial class RpcMachine
{
    private readonly QuestionLimits _limits = new(random);
    private readonly Queue<(Endpoint Remote, byte[] Buffer, int Bytes)> _answers = [];

    /// <summary>How long the body of an answer to this question may be.</summary>
    public static int AnswerRoomBytes(in Question question) =>
        Math.Max(0, MaxAnswerBytes(question) - SealedMessages.AnswerOverheadBytes - AnswerMessage.MaxHeadBytes);

    /// <summary>Answers a question with one CBOR item. When it is too long for an unproven address, the asker is told to prove it first.</summary>
    /// <remarks>False when nothing was queued: the body does not fit a datagram at all, or too much waits to be sent.</remarks>
    public bool Answer(Instant now, in Question question, ReadOnlySpan<byte> body)
    {
        AnswerMessage answer = NewAnswer(now, question);
        answer.Body = body;
        return TryQueue(question, answer)
            || (!question.AddressProven && Refuse(now, question, Refusal.AddressNotProven));
    }

    /// <summary>Declines a question; always fits its length.</summary>
    public bool Refuse(Instant now, in Question question, Refusal refusal)
    {
        AnswerMessage answer = NewAnswer(now, question);
        answer.Refusal = refusal;
        return TryQueue(question, answer);
    }

    private static int MaxAnswerBytes(in Question question) =>
        question.AddressProven ? SealedMessages.MaxDatagramBytes : question.DatagramBytes;

    private void HandleQuestion(Instant now, Endpoint remote, Span<byte> datagram)
    {
        if (!_limits.TryTake(now, remote))
        {
            drops.Count(DropReason.RateLimited);
            return;
        }

        if (_answers.Count >= MaxQueued || _nodeEffects.Count >= MaxQueued || _dhtEffects.Count >= MaxQueued)
        {
            drops.Count(DropReason.Full);
            return;
        }

        int datagramBytes = datagram.Length;
        if (!sealedMessages.TryOpenQuestion(now, datagram, out PublicKey asker, out Span<byte> plaintext))
        {
            return;
        }

        if (!QuestionMessage.TryParse(plaintext, out QuestionMessage message))
        {
            drops.Count(DropReason.Malformed);
            return;
        }

        bool proven = message.HasToken && IsToken(now, remote, message.Token);
        Question question = new(asker, message.CallId, remote, message.Method, proven, datagramBytes);
        if (proven && message.HasAsker)
        {
            question = question with { Introduces = new Contact(message.AskerKey, message.AskerChoice, remote) };
        }

        EffectQueue queue = message.Method < FirstNodeMethod ? _dhtEffects : _nodeEffects;
        queue.Add(new RpcEffect(RpcEffectKind.Asked, default) { Question = question, Remote = remote }, message.Body);
    }

    private bool IsToken(Instant now, Endpoint remote, UInt128 token)
    {
        Span<byte> bytes = stackalloc byte[AnswerMessage.TokenBytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, token);
        return tokens.TryVerify(now, remote, bytes);
    }

    private AnswerMessage NewAnswer(Instant now, in Question question)
    {
        Span<byte> token = stackalloc byte[AnswerMessage.TokenBytes];
        tokens.Issue(now, question.Remote, token);
        return new AnswerMessage
        {
            Observed = question.Remote,
            Token = BinaryPrimitives.ReadUInt128BigEndian(token),
            HasChoice = Serving is not null,
            Choice = Serving?.Choice ?? 0,
        };
    }

    private bool TryQueue(in Question question, in AnswerMessage answer)
    {
        CborWriter writer = new(_scratch);
        answer.Write(ref writer);
        int bytes = SealedMessages.AnswerOverheadBytes + writer.Written;
        if (writer.Overflowed || bytes > MaxAnswerBytes(question) || _answers.Count >= MaxQueued)
        {
            drops.Count(DropReason.OverBudget);
            return false;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(bytes);
        if (!sealedMessages.TrySealAnswer(
            question.Asker, question.CallId, writer.Encoded, MaxAnswerBytes(question), buffer, out int sealedBytes))
        {
            ArrayPool<byte>.Shared.Return(buffer);
            drops.Count(DropReason.OverBudget);
            return false;
        }

        _answers.Enqueue((question.Remote, buffer, sealedBytes));
        return true;
    }

    private bool TryTransmitAnswer(Span<byte> destination, out Transmit transmit)
    {
        transmit = default;
        if (!_answers.TryDequeue(out (Endpoint Remote, byte[] Buffer, int Bytes) answer))
        {
            return false;
        }

        answer.Buffer.AsSpan(0, answer.Bytes).CopyTo(destination);
        ArrayPool<byte>.Shared.Return(answer.Buffer);
        transmit = new Transmit(new NetworkPath(answer.Remote), answer.Bytes, answer.Bytes);
        return true;
    }
}
