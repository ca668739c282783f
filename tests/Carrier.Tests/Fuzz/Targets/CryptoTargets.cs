using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Tests.Crypto;

namespace Carrier.Tests.Fuzz.Targets;

/// <summary>Everything of the handshake and the sealed messages that reads a stranger's bytes.</summary>
public static class CryptoTargets
{
    private static readonly TransportKey Key = TransportKey.Generate(new CountingRandom(5));

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
        using SealedMessages messages = new(Key, new CountingRandom(6), new DropCounters());
        _ = SealedMessages.TryReadCallId(data, out _);
        Assert.False(messages.TryOpenQuestion(Instant.Zero, data.ToArray(), out _, out _));
        Assert.False(messages.TryOpenAnswer(Instant.Zero, Key.Public, data.ToArray(), out _));
    }
}
