using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Carrier.Core.Crypto;

/// <summary>The SymmetricState of the Noise Protocol Framework (revision 34, §5.2), with its CipherState, for ChaChaPoly and SHA256.</summary>
/// <remarks>Copied before a message is read, so that one that turns out forged has changed nothing.</remarks>
internal sealed unsafe class NoiseSymmetricState : IDisposable
{
    public const int TagBytes = 16;

    private const int HashBytes = Sha256.HashBytes;
    private const int NonceBytes = 12;

    /// <summary>The most that is mixed into the hash at once: less than a datagram.</summary>
    private const int MaxMixedBytes = 1_536;

    private readonly KeyMemory _memory = new(3 * HashBytes);
    private bool _hasKey;
    private ulong _nonce;

    /// <summary>InitializeSymmetric; the name is at most one hash long.</summary>
    public NoiseSymmetricState(ReadOnlySpan<byte> protocolName)
    {
        protocolName.CopyTo(Hash);
        Hash.CopyTo(ChainingKey);
    }

    private NoiseSymmetricState(NoiseSymmetricState other)
    {
        other._memory.Span.CopyTo(_memory.Span);
        _hasKey = other._hasKey;
        _nonce = other._nonce;
    }

    /// <summary>h: after the last message, the handshake hash both sides share (§11.2).</summary>
    public Span<byte> Hash => _memory.Span[..HashBytes];

    private Span<byte> ChainingKey => _memory.Span.Slice(HashBytes, HashBytes);

    private Span<byte> Key => _memory.Span[(2 * HashBytes)..];

    public NoiseSymmetricState Copy() => new(this);

    public void MixHash(ReadOnlySpan<byte> data)
    {
        Span<byte> room = stackalloc byte[HashBytes + MaxMixedBytes];
        Span<byte> joined = room[..(HashBytes + data.Length)];
        Hash.CopyTo(joined);
        data.CopyTo(joined[HashBytes..]);
        Sha256.HashData(joined, Hash);
    }

    public void MixKey(ReadOnlySpan<byte> inputKeyMaterial)
    {
        Hkdf(inputKeyMaterial, ChainingKey, Key);
        _hasKey = true;
        _nonce = 0;
    }

    /// <summary>Writes the plaintext, sealed once there is a key, and returns how many bytes that took.</summary>
    public int EncryptAndHash(ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        if (!_hasKey)
        {
            plaintext.CopyTo(destination);
            MixHash(plaintext);
            return plaintext.Length;
        }

        int sealedBytes = plaintext.Length + TagBytes;
        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(nonce);
        fixed (byte* k = Key, n = nonce, ad = Hash, source = plaintext, target = destination[..sealedBytes])
        {
            _ = Sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
                target, null, source, (ulong)plaintext.Length, ad, HashBytes, null, n, k);
        }

        _nonce++; // two messages a key at most: it cannot wrap
        MixHash(destination[..sealedBytes]);
        return sealedBytes;
    }

    /// <summary>Opens into <paramref name="plaintext"/>, <see cref="TagBytes"/> shorter. Needs a key. After false this state is spent.</summary>
    public bool TryDecryptAndHash(ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
    {
        if (!_hasKey || sealedBytes.Length < TagBytes || plaintext.Length < sealedBytes.Length - TagBytes)
        {
            return false;
        }

        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(nonce);
        int failed;
        fixed (byte* k = Key, n = nonce, ad = Hash, source = sealedBytes, target = plaintext)
        {
            failed = Sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
                target, null, null, source, (ulong)sealedBytes.Length, ad, HashBytes, n, k);
        }

        _nonce++;
        MixHash(sealedBytes);
        return failed == 0;
    }

    /// <summary>Split: the two keys of the transport phase, the initiator's sending key first.</summary>
    public void Split(Span<byte> initiatorKey, Span<byte> responderKey) => Hkdf(default, initiatorKey, responderKey);

    public void Dispose() => _memory.Dispose();

    private void WriteNonce(Span<byte> nonce)
    {
        nonce.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[(NonceBytes - sizeof(ulong))..], _nonce);
    }

    // HKDF of §4.3 with two outputs: the chaining key is the salt, the info is empty.
    private void Hkdf(ReadOnlySpan<byte> inputKeyMaterial, Span<byte> first, Span<byte> second)
    {
        Span<byte> temporary = stackalloc byte[HashBytes];
        Span<byte> chained = stackalloc byte[HashBytes + 1];
        KeyDerivation.Hmac(ChainingKey, inputKeyMaterial, temporary);
        KeyDerivation.Hmac(temporary, [0x01], chained);
        chained[..HashBytes].CopyTo(first);
        chained[HashBytes] = 0x02;
        KeyDerivation.Hmac(temporary, chained, second);
        CryptographicOperations.ZeroMemory(temporary);
        CryptographicOperations.ZeroMemory(chained);
    }
}
