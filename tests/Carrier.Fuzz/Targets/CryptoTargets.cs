using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Core.Wire;

namespace Carrier.Fuzz.Targets;

/// <summary>Everything of the handshake and the sealed messages that reads a stranger's bytes.</summary>
public static class CryptoTargets
{
    private static readonly TransportKey Key = TransportKey.Generate(new SeededRandom(5));
    private static readonly TransportKey Asker = TransportKey.Generate(new SeededRandom(7));

    /// <summary>What parses says the same when written and parsed again.</summary>
    public static void HandshakePayloads(ReadOnlySpan<byte> data)
    {
        if (!HandshakePayload.TryRead(data, out HandshakePayload payload))
        {
            return;
        }

        Span<byte> first = stackalloc byte[4096];
        Span<byte> second = stackalloc byte[4096];
        Assert.True(payload.TryWrite(first, out int firstBytes));
        Assert.True(firstBytes <= data.Length); // unknown keys fall away, nothing is added
        Assert.True(HandshakePayload.TryRead(first[..firstBytes], out HandshakePayload again));
        Assert.True(again.TryWrite(second, out int secondBytes));
        Assert.True(first[..firstBytes].SequenceEqual(second[..secondBytes]));
    }

    /// <summary>The three handshake datagrams: a parsed initiation, written again, is the datagram's start.</summary>
    public static void HandshakeDatagrams(ReadOnlySpan<byte> data)
    {
        _ = HandshakeInitiator.TryReadHandshakeId(data, out _);
        if (InitiationDatagram.TryRead(data, out InitiationDatagram initiation))
        {
            Span<byte> written = stackalloc byte[InitiationDatagram.MaxBytes];
            Assert.True(InitiationDatagram.TryWrite(initiation.HandshakeId, initiation.Cookie, initiation.Noise, false, written, out int bytes));
            Assert.True(data.StartsWith(written[..bytes]));
        }

        _ = HandshakeResponder.TryRead(Key, new byte[20], data, new DropCounters(), out _);
    }

    /// <summary>Sealed datagrams: nothing a stranger makes up opens.</summary>
    public static void SealedDatagrams(ReadOnlySpan<byte> data)
    {
        using SealedMessages messages = new(Key, new SeededRandom(6), new DropCounters());
        _ = SealedMessages.TryReadCallId(data, out _);
        Assert.False(messages.TryOpenQuestion(Instant.Zero, data.ToArray(), out _, out _));
        Assert.False(messages.TryOpenAnswer(Instant.Zero, Key.Public, data.ToArray(), out _));
    }

    /// <summary>What an authentic asker sealed: any length and padding. Opens only when the padding is as it must be.</summary>
    public static void SealedPaddings(ReadOnlySpan<byte> data)
    {
        const int headerBytes = 1 + PublicKey.Bytes;
        byte[] datagram = new byte[headerBytes + XChaCha20Poly1305.NonceBytes + data.Length + XChaCha20Poly1305.TagBytes];
        datagram[0] = (byte)PacketKind.SealedQuestion;
        Asker.Public.Span.CopyTo(datagram.AsSpan(1));
        data.CopyTo(datagram.AsSpan(headerBytes + XChaCha20Poly1305.NonceBytes));
        XChaCha20Poly1305.Seal(
            QuestionKey(), datagram.AsSpan(headerBytes, XChaCha20Poly1305.NonceBytes), datagram.AsSpan(0, headerBytes),
            datagram.AsSpan(headerBytes + XChaCha20Poly1305.NonceBytes));
        using SealedMessages messages = new(Key, new SeededRandom(6), new DropCounters());
        bool opened = messages.TryOpenQuestion(Instant.Zero, datagram, out _, out Span<byte> plaintext);
        int length = data.Length < 2 ? int.MaxValue : BinaryPrimitives.ReadUInt16BigEndian(data);
        bool isRight = datagram.Length <= SealedMessages.MaxDatagramBytes && length <= data.Length - 2 && !data[(2 + length)..].ContainsAnyExcept((byte)0);
        Assert.Equal(isRight, opened);
        Assert.True(!opened || plaintext.SequenceEqual(data.Slice(2, length)));
    }

    private static byte[] QuestionKey()
    {
        byte[] key = new byte[XChaCha20Poly1305.KeyBytes];
        Assert.True(Asker.TryAgree(Key.Public, key));
        KeyDerivation.Extract("carrier 1 sealed message"u8, key, key);
        KeyDerivation.Expand(key, "question"u8, [.. Asker.Public.Span, .. Key.Public.Span], key);
        return key;
    }
}
