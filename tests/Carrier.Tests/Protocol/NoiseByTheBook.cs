using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Carrier.Tests.Protocol;

/// <summary>Noise_IK_25519_ChaChaPoly_SHA256 as Noise revision 34 §5 and §7.5 spell it out, one token after the other.</summary>
internal sealed class NoiseByTheBook
{
    private byte[] _chainingKey;
    private byte[] _hash;
    private byte[] _key = [];
    private ulong _nonce;

    private NoiseByTheBook(byte[] prologue, byte[] responderStatic)
    {
        _hash = "Noise_IK_25519_ChaChaPoly_SHA256"u8.ToArray();
        _chainingKey = _hash;
        MixHash(prologue);
        MixHash(responderStatic);
    }

    /// <summary>h, the channel binding once both messages are through.</summary>
    public byte[] HandshakeHash => _hash;

    public static byte[] Initiate(
        byte[] prologue, byte[] ownStatic, byte[] ownEphemeral, byte[] responderStatic, byte[] payload, out NoiseByTheBook state) =>
        Initiate(prologue, Primitives.PublicOf(ownStatic), Primitives.Agree(ownStatic, responderStatic), ownEphemeral, responderStatic, payload, out state);

    /// <summary>The same for whoever has what the static keys agree on: the initiator, or a thief of the responder's key.</summary>
    public static byte[] Initiate(
        byte[] prologue, byte[] initiatorStatic, byte[] agreedByStatics, byte[] ownEphemeral, byte[] responderStatic, byte[] payload, out NoiseByTheBook state)
    {
        state = new NoiseByTheBook(prologue, responderStatic);
        byte[] ephemeral = Primitives.PublicOf(ownEphemeral);
        state.MixHash(ephemeral);
        state.MixKey(Primitives.Agree(ownEphemeral, responderStatic));
        byte[] sealedStatic = state.EncryptAndHash(initiatorStatic);
        state.MixKey(agreedByStatics);
        return [.. ephemeral, .. sealedStatic, .. state.EncryptAndHash(payload)];
    }

    public static byte[] ReadInitiation(byte[] prologue, byte[] ownStatic, byte[] message, out NoiseByTheBook state, out byte[] initiatorStatic)
    {
        state = new NoiseByTheBook(prologue, Primitives.PublicOf(ownStatic));
        byte[] ephemeral = message[..32];
        state.MixHash(ephemeral);
        state.MixKey(Primitives.Agree(ownStatic, ephemeral));
        initiatorStatic = state.DecryptAndHash(message[32..80]);
        state.MixKey(Primitives.Agree(ownStatic, initiatorStatic));
        return state.DecryptAndHash(message[80..]);
    }

    public byte[] Respond(byte[] ownEphemeral, byte[] initiatorEphemeral, byte[] initiatorStatic, byte[] payload)
    {
        byte[] ephemeral = Primitives.PublicOf(ownEphemeral);
        MixHash(ephemeral);
        MixKey(Primitives.Agree(ownEphemeral, initiatorEphemeral));
        MixKey(Primitives.Agree(ownEphemeral, initiatorStatic));
        return [.. ephemeral, .. EncryptAndHash(payload)];
    }

    public byte[] ReadResponse(byte[] ownStatic, byte[] ownEphemeral, byte[] message)
    {
        byte[] ephemeral = message[..32];
        MixHash(ephemeral);
        MixKey(Primitives.Agree(ownEphemeral, ephemeral));
        MixKey(Primitives.Agree(ownStatic, ephemeral));
        return DecryptAndHash(message[32..]);
    }

    /// <summary>The secrets sessions begin with (docs/protocol.md §5, Keys).</summary>
    public (byte[] Initiator, byte[] Responder) Secrets()
    {
        byte[] keys = Primitives.Expand(Primitives.Extract(_chainingKey, []), [], 64);
        return (Primitives.Expand(keys.AsSpan(0, 32), "carrier 1 session initiator"u8, 32), Primitives.Expand(keys.AsSpan(32), "carrier 1 session responder"u8, 32));
    }

    private void MixHash(byte[] data) => _hash = SHA256.HashData([.. _hash, .. data]);

    private void MixKey(byte[] input)
    {
        byte[] output = Primitives.Expand(Primitives.Extract(_chainingKey, input), [], 64);
        (_chainingKey, _key, _nonce) = (output[..32], output[32..], 0);
    }

    private byte[] EncryptAndHash(byte[] plaintext)
    {
        byte[] ciphertext = Primitives.Seal(_key, NextNonce(), _hash, plaintext);
        MixHash(ciphertext);
        return ciphertext;
    }

    private byte[] DecryptAndHash(byte[] ciphertext)
    {
        byte[] plaintext = Primitives.Open(_key, NextNonce(), _hash, ciphertext);
        MixHash(ciphertext);
        return plaintext;
    }

    private byte[] NextNonce()
    {
        byte[] nonce = new byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(nonce.AsSpan(4), _nonce++);
        return nonce;
    }
}
