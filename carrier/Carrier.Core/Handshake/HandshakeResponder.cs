using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Carrier.Core.Crypto;

namespace Carrier.Core.Handshake;

/// <summary>The answering side of one handshake, made of an initiation that <see cref="HandshakeGate"/> admitted.</summary>
/// <remarks>
/// To exist it has proven that the initiator holds <see cref="InitiatorKey"/>; it has not proven that the initiation is new, which only the
/// first session packet does. Until then the owner surfaces no session. Whoever fails here hears nothing.
/// </remarks>
public sealed class HandshakeResponder : IDisposable
{
    private readonly NoiseIk _noise;
    private readonly byte[] _payload;
    private byte[] _response = [];

    private HandshakeResponder(NoiseIk noise, byte[] payload, ulong handshakeId)
    {
        _noise = noise;
        _payload = payload;
        HandshakeId = handshakeId;
    }

    public ulong HandshakeId { get; }

    /// <summary>The initiator's static key, proven. The owner checks that the delegation in the payload names it.</summary>
    public PublicKey InitiatorKey => _noise.RemoteStatic;

    /// <summary>What the initiator told; a view of bytes kept until this is disposed.</summary>
    public HandshakePayload Initiation => HandshakePayload.TryRead(_payload, out HandshakePayload payload)
        ? payload
        : throw new InvalidOperationException("The payload was read before.");

    /// <summary>Opens an initiation (two X25519). False, and counted, for whatever is not a well-formed one to this key and this TrustID.</summary>
    /// <param name="own">Our device key; it must outlive the responder.</param>
    public static bool TryRead(
        TransportKey own, ReadOnlySpan<byte> ownTrustId20, ReadOnlySpan<byte> datagram, DropCounters drops,
        [NotNullWhen(true)] out HandshakeResponder? responder)
    {
        responder = null;
        if (!InitiationDatagram.TryRead(datagram, out InitiationDatagram initiation))
        {
            drops.Count(DropReason.Malformed);
            return false;
        }

        Span<byte> prologue = stackalloc byte[InitiationDatagram.PrologueBytes];
        InitiationDatagram.WritePrologue(ownTrustId20, initiation.HandshakeId, prologue);
        var noise = NoiseIk.Responder(own, prologue);
        byte[] plaintext = new byte[initiation.Noise.Length - NoiseIk.InitiationOverheadBytes];
        bool opened = noise.TryReadInitiation(initiation.Noise, plaintext);
        if (!opened || !HandshakePayload.TryRead(plaintext, out HandshakePayload payload) || payload.Protocol is null)
        {
            drops.Count(opened ? DropReason.Malformed : DropReason.DecryptFailed);
            CryptographicOperations.ZeroMemory(plaintext);
            noise.Dispose();
            return false;
        }

        responder = new HandshakeResponder(noise, plaintext, initiation.HandshakeId);
        return true;
    }

    /// <summary>Prepares the response and derives the keys, once (two X25519). <paramref name="payload"/> names the one suite chosen.</summary>
    /// <returns>False when the payload does not fit a datagram or the initiator's ephemeral key has low order.</returns>
    public bool TryRespond(RandomSource random, in HandshakePayload payload, [NotNullWhen(true)] out SessionKeys? keys)
    {
        keys = null;
        Span<byte> plaintext = stackalloc byte[InitiationDatagram.MaxBytes - ResponseDatagram.OverheadBytes - NoiseIk.ResponseOverheadBytes];
        if (_response.Length != 0 || payload.CipherSuites.Length != 1 || !payload.TryWrite(plaintext, out int plaintextBytes))
        {
            return false;
        }

        int noiseBytes = plaintextBytes + NoiseIk.ResponseOverheadBytes;
        byte[] response = new byte[ResponseDatagram.OverheadBytes + noiseBytes];
        ResponseDatagram.WriteHeader(HandshakeId, noiseBytes, response);
        if (!_noise.TryWriteResponse(TransportKey.Generate(random), plaintext[..plaintextBytes], response.AsSpan(ResponseDatagram.OverheadBytes)))
        {
            return false;
        }

        _response = response;
        keys = new SessionKeys(payload.CipherSuites[0], _noise, isInitiator: false);
        return true;
    }

    /// <summary>Writes the response, the same bytes each time; an initiation that comes again is answered again.</summary>
    /// <param name="maxDatagramBytes">The length of the initiation being answered, on a direct path: never answer more than was asked.</param>
    public bool TryWrite(int maxDatagramBytes, Span<byte> datagram, out int datagramBytes)
    {
        datagramBytes = _response.Length;
        if (datagramBytes == 0 || datagramBytes > maxDatagramBytes || !_response.AsSpan().TryCopyTo(datagram))
        {
            datagramBytes = 0;
            return false;
        }

        return true;
    }

    public void Dispose()
    {
        _noise.Dispose();
        CryptographicOperations.ZeroMemory(_payload);
    }
}
