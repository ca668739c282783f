namespace Carrier.Core.Crypto;

/// <summary>Sealed messages of one node: a question sealed to a receiver's transport key, and the answer to it.</summary>
public sealed class SealedMessages(TransportKey own, RandomSource random, DropCounters drops) : IDisposable
{
    /// <summary>No sealed datagram is longer, sent or received.</summary>
    public const int MaxDatagramBytes = 1400;

    /// <summary>What a question adds to its plaintext before padding.</summary>
    public const int QuestionOverheadBytes = 1 + 32 + 24 + 2 + 16;

    /// <summary>What an answer adds to its plaintext.</summary>
    public const int AnswerOverheadBytes = 1 + 8 + 16 + 2 + 16;

    public bool TrySealQuestion(
        Instant now, in PublicKey receiver, ReadOnlySpan<byte> plaintext, int padToDatagramBytes, Span<byte> datagram, out int datagramBytes) =>
        throw new NotImplementedException($"{own} {random} {drops}");

    public static bool TryReadCallId(ReadOnlySpan<byte> answerDatagram, out ulong callId) => throw new NotImplementedException();

    public bool TryOpenAnswer(Instant now, in PublicKey askedKey, Span<byte> datagram, out Span<byte> plaintext) => throw new NotImplementedException();

    public bool TryOpenQuestion(Instant now, Span<byte> datagram, out PublicKey asker, out Span<byte> plaintext) => throw new NotImplementedException();

    public bool TrySealAnswer(
        in PublicKey asker, ulong callId, ReadOnlySpan<byte> plaintext, int maxDatagramBytes, Span<byte> datagram, out int datagramBytes) =>
        throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
