using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Carrier.Core.Crypto;

namespace Carrier.Core.Handshake;

/// <summary>The dialling side of one handshake. Every retransmission is the same noise message, so any answer to any copy completes it.</summary>
/// <remarks>Knows nothing of timers or paths: its owner decides when and where to write. Disposing it erases the ephemeral key.</remarks>
public sealed class HandshakeInitiator : IDisposable
{
    /// <summary>Responses examined a second (two X25519 each). Only who saw our initiation can make us examine any.</summary>
    public const int ResponsesPerSecond = 20;

    private static readonly TokenRate ResponseRate = new(ResponsesPerSecond, ResponsesPerSecond);

    private readonly NoiseIk _noise;
    private readonly byte[] _message;
    private readonly CipherSuite[] _offered;
    private byte[] _cookie = [];
    private byte[] _response = [];
    private TokenBucket _responses;

    private HandshakeInitiator(NoiseIk noise, byte[] message, ulong handshakeId, CipherSuite[] offered)
    {
        _noise = noise;
        _message = message;
        HandshakeId = handshakeId;
        _offered = offered;
    }

    /// <summary>What answers to this handshake carry: how its owner finds it again (<see cref="TryReadHandshakeId"/>).</summary>
    public ulong HandshakeId { get; }

    /// <summary>What the responder told, after <see cref="TryReadResponse"/>; a view of bytes kept until this is disposed.</summary>
    public HandshakePayload Response => HandshakePayload.TryRead(_response, out HandshakePayload payload)
        ? payload
        : throw new InvalidOperationException("No response was read.");

    /// <summary>Prepares the initiation. False when the payload is too long for one datagram or the responder's key has low order.</summary>
    /// <param name="own">Our device key; it must outlive this.</param>
    /// <param name="responder">The device key of the one we dial.</param>
    public static bool TryCreate(
        TransportKey own, in PublicKey responder, ReadOnlySpan<byte> targetTrustId20, RandomSource random, in HandshakePayload payload,
        [NotNullWhen(true)] out HandshakeInitiator? initiator)
    {
        initiator = null;
        Span<byte> plaintext = stackalloc byte[InitiationDatagram.MaxPayloadBytes];
        if (!payload.TryWrite(plaintext, out int plaintextBytes))
        {
            return false;
        }

        ulong handshakeId = random.NextUInt64();
        Span<byte> prologue = stackalloc byte[InitiationDatagram.PrologueBytes];
        InitiationDatagram.WritePrologue(targetTrustId20, handshakeId, prologue);
        var noise = NoiseIk.Initiator(own, TransportKey.Generate(random), responder, prologue);
        byte[] message = new byte[NoiseIk.InitiationOverheadBytes + plaintextBytes];
        if (!noise.TryWriteInitiation(plaintext[..plaintextBytes], message))
        {
            noise.Dispose();
            return false;
        }

        initiator = new HandshakeInitiator(noise, message, handshakeId, payload.CipherSuites.ToArray());
        return true;
    }

    /// <summary>The handshake a response or retry claims to belong to.</summary>
    public static bool TryReadHandshakeId(ReadOnlySpan<byte> datagram, out ulong handshakeId)
    {
        bool isResponse = ResponseDatagram.TryRead(datagram, out ResponseDatagram response);
        bool isRetry = RetryDatagram.TryRead(datagram, out RetryDatagram retry);
        handshakeId = isResponse ? response.HandshakeId : retry.HandshakeId;
        return isResponse || isRetry;
    }

    /// <summary>Writes the initiation, with the latest cookie if one was asked for. As often as the owner likes.</summary>
    /// <param name="isPadded">To 1,200 bytes, as every direct path needs; a relayed one does not.</param>
    public bool TryWrite(bool isPadded, Span<byte> datagram, out int datagramBytes) =>
        InitiationDatagram.TryWrite(HandshakeId, _cookie, _message, isPadded, datagram, out datagramBytes);

    /// <summary>Takes the cookie of a retry to this handshake; the owner then writes again at once.</summary>
    public bool TryReadRetry(ReadOnlySpan<byte> datagram)
    {
        if (!RetryDatagram.TryRead(datagram, out RetryDatagram retry) || retry.HandshakeId != HandshakeId)
        {
            return false;
        }

        _cookie = retry.Cookie.ToArray();
        return true;
    }

    /// <summary>Takes the response. False changes nothing: the true response may still come.</summary>
    public bool TryReadResponse(Instant now, ReadOnlySpan<byte> datagram, [NotNullWhen(true)] out SessionKeys? keys)
    {
        keys = null;
        if (_response.Length != 0 || !ResponseDatagram.TryRead(datagram, out ResponseDatagram response)
            || response.HandshakeId != HandshakeId || !_responses.TrySpend(now, ResponseRate))
        {
            return false;
        }

        byte[] plaintext = new byte[response.Noise.Length - NoiseIk.ResponseOverheadBytes];
        if (!_noise.TryReadResponse(response.Noise, plaintext) || !HandshakePayload.TryRead(plaintext, out HandshakePayload payload)
            || payload.CipherSuites.Length != 1 || !_offered.AsSpan().Contains(payload.CipherSuites[0]))
        {
            return false;
        }

        _response = plaintext;
        keys = new SessionKeys(payload.CipherSuites[0], _noise, isInitiator: true);
        return true;
    }

    public void Dispose()
    {
        _noise.Dispose();
        CryptographicOperations.ZeroMemory(_response);
    }
}
