using System.Security.Cryptography;

namespace Carrier.Core.Crypto;

/// <summary>One side of <c>Noise_IK_25519_ChaChaPoly_SHA256</c> (Noise revision 34, §7.5): the initiator knows the responder's static key.</summary>
/// <remarks>
/// <code>
/// &lt;- s
/// -&gt; e, es, s, ss     ephemeral 32 ‖ sealed static 48 ‖ sealed payload
/// &lt;- e, ee, se        ephemeral 32 ‖ sealed payload
/// </code>
/// The static key stays its owner's; the ephemeral becomes this object's. Low-order points are refused. A message that fails to open
/// changes nothing, so the true one may still come.
/// </remarks>
internal sealed class NoiseIk : IDisposable
{
    /// <summary>What the first message adds to its payload.</summary>
    public const int InitiationOverheadBytes = PublicKey.Bytes + PublicKey.Bytes + (2 * NoiseSymmetricState.TagBytes);

    /// <summary>What the second message adds to its payload.</summary>
    public const int ResponseOverheadBytes = PublicKey.Bytes + NoiseSymmetricState.TagBytes;

    private readonly TransportKey _static;
    private TransportKey? _ephemeral;
    private PublicKey _remoteEphemeral;
    private NoiseSymmetricState _state;

    private NoiseIk(TransportKey ownStatic, in PublicKey responderStatic, ReadOnlySpan<byte> prologue)
    {
        _static = ownStatic;
        _state = new NoiseSymmetricState("Noise_IK_25519_ChaChaPoly_SHA256"u8);
        _state.MixHash(prologue);
        _state.MixHash(responderStatic.Span);
    }

    /// <summary>The other side's static key; for a responder, known and proven only after the initiation was read.</summary>
    public PublicKey RemoteStatic { get; private set; }

    /// <summary>The handshake hash, once both messages went.</summary>
    public ReadOnlySpan<byte> HandshakeHash => _state.Hash;

    public static NoiseIk Initiator(TransportKey ownStatic, TransportKey ephemeral, in PublicKey responderStatic, ReadOnlySpan<byte> prologue) =>
        new(ownStatic, responderStatic, prologue) { _ephemeral = ephemeral, RemoteStatic = responderStatic };

    public static NoiseIk Responder(TransportKey ownStatic, ReadOnlySpan<byte> prologue) => new(ownStatic, ownStatic.Public, prologue);

    /// <summary>Initiator, once: false only when the responder's key has low order.</summary>
    public bool TryWriteInitiation(ReadOnlySpan<byte> payload, Span<byte> message)
    {
        TransportKey ephemeral = _ephemeral!;
        ephemeral.Public.Span.CopyTo(message);
        _state.MixHash(ephemeral.Public.Span);
        if (!TryMixAgreement(_state, ephemeral, RemoteStatic))
        {
            return false;
        }

        int written = PublicKey.Bytes;
        written += _state.EncryptAndHash(_static.Public.Span, message[written..]);
        if (!TryMixLastingAgreement(_state, RemoteStatic))
        {
            return false;
        }

        _ = _state.EncryptAndHash(payload, message[written..]);
        return true;
    }

    /// <summary>Responder: opens the first message into <paramref name="payload"/>, which is <see cref="InitiationOverheadBytes"/> shorter.</summary>
    public bool TryReadInitiation(ReadOnlySpan<byte> message, Span<byte> payload)
    {
        if (message.Length < InitiationOverheadBytes)
        {
            return false;
        }

        NoiseSymmetricState state = _state.Copy();
        PublicKey ephemeral = new(message[..PublicKey.Bytes]);
        Span<byte> remoteStatic = stackalloc byte[PublicKey.Bytes];
        state.MixHash(ephemeral.Span);
        ReadOnlySpan<byte> sealedStatic = message.Slice(PublicKey.Bytes, PublicKey.Bytes + NoiseSymmetricState.TagBytes);
        ReadOnlySpan<byte> sealedPayload = message[(PublicKey.Bytes + sealedStatic.Length)..];
        bool opened = TryMixAgreement(state, _static, ephemeral)
            && state.TryDecryptAndHash(sealedStatic, remoteStatic)
            && TryMixLastingAgreement(state, new PublicKey(remoteStatic))
            && state.TryDecryptAndHash(sealedPayload, payload);
        if (opened)
        {
            RemoteStatic = new PublicKey(remoteStatic);
            _remoteEphemeral = ephemeral;
        }

        Keep(state, opened);
        return opened;
    }

    /// <summary>Responder, after the initiation was read. The ephemeral becomes this object's. False only for an ephemeral of low order.</summary>
    public bool TryWriteResponse(TransportKey ephemeral, ReadOnlySpan<byte> payload, Span<byte> message)
    {
        _ephemeral = ephemeral;
        ephemeral.Public.Span.CopyTo(message);
        _state.MixHash(ephemeral.Public.Span);
        if (!TryMixAgreement(_state, ephemeral, _remoteEphemeral) || !TryMixAgreement(_state, ephemeral, RemoteStatic))
        {
            return false;
        }

        _ = _state.EncryptAndHash(payload, message[PublicKey.Bytes..]);
        return true;
    }

    /// <summary>Initiator: opens the second message into <paramref name="payload"/>, which is <see cref="ResponseOverheadBytes"/> shorter.</summary>
    public bool TryReadResponse(ReadOnlySpan<byte> message, Span<byte> payload)
    {
        if (message.Length < ResponseOverheadBytes)
        {
            return false;
        }

        NoiseSymmetricState state = _state.Copy();
        PublicKey remoteEphemeral = new(message[..PublicKey.Bytes]);
        state.MixHash(remoteEphemeral.Span);
        bool opened = TryMixAgreement(state, _ephemeral!, remoteEphemeral)
            && TryMixAgreement(state, _static, remoteEphemeral)
            && state.TryDecryptAndHash(message[PublicKey.Bytes..], payload);
        Keep(state, opened);
        return opened;
    }

    /// <summary>The transport keys after the second message, the initiator's sending key first.</summary>
    public void Split(Span<byte> initiatorKey, Span<byte> responderKey) => _state.Split(initiatorKey, responderKey);

    public void Dispose()
    {
        _ephemeral?.Dispose();
        _state.Dispose();
    }

    private static bool TryMixAgreement(NoiseSymmetricState state, TransportKey own, in PublicKey remote)
    {
        Span<byte> shared = stackalloc byte[TransportKey.Bytes];
        bool agreed = own.TryAgree(remote, shared);
        if (agreed)
        {
            state.MixKey(shared);
        }

        CryptographicOperations.ZeroMemory(shared);
        return agreed;
    }

    // ss: the one agreement that is the same in every handshake of a pair.
    private bool TryMixLastingAgreement(NoiseSymmetricState state, in PublicKey remoteStatic)
    {
        Span<byte> shared = stackalloc byte[TransportKey.Bytes];
        bool agreed = _static.TryAgreeLasting(remoteStatic, shared);
        if (agreed)
        {
            state.MixKey(shared);
        }

        CryptographicOperations.ZeroMemory(shared);
        return agreed;
    }

    private void Keep(NoiseSymmetricState state, bool opened)
    {
        (opened ? _state : state).Dispose();
        _state = opened ? state : _state;
    }
}
