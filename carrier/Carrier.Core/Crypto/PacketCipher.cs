using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Carrier.Core.Crypto;

/// <summary>One direction's packet protection: key and IV derived from a secret, nonce = IV xor packet number (RFC 9001 §5.3).</summary>
/// <remarks>
/// The packet number is the whole 64-bit one and each is used once: the caller's counter never repeats under one secret, and stops at
/// <see cref="ConfidentialityLimit"/> packets sealed or <see cref="IntegrityLimit"/> failed openings, whichever comes first. Not for two threads.
/// No call allocates. Keys lie outside the collected heap and are zeroed by <see cref="Dispose"/>.
/// </remarks>
public sealed unsafe class PacketCipher : IDisposable
{
    public const int SecretBytes = 32;

    /// <summary>Packets one key may seal with AES-256-GCM (RFC 9001 §6.6).</summary>
    public const ulong Aes256GcmConfidentialityLimit = 1UL << 23;

    /// <summary>Failed openings after which an AES-256-GCM key is given up (RFC 9001 §6.6).</summary>
    public const ulong Aes256GcmIntegrityLimit = 1UL << 52;

    /// <summary>ChaCha20-Poly1305 outlives the packet number space (RFC 9001 §6.6).</summary>
    public const ulong ChaCha20Poly1305ConfidentialityLimit = 1UL << 62;

    /// <summary>Failed openings after which a ChaCha20-Poly1305 key is given up (RFC 9001 §6.6).</summary>
    public const ulong ChaCha20Poly1305IntegrityLimit = 1UL << 36;

    /// <summary>Draft-irtf-cfrg-aegis-aead gives AEGIS-128L 2^61 bytes a key; at 2^14 bytes a packet that is 2^47, taken down for margin.</summary>
    public const ulong Aegis128LConfidentialityLimit = 1UL << 46;

    /// <summary>A 256-bit tag is forged with probability 2^-256 a try; held to the AES-GCM number for want of a reason to allow more.</summary>
    public const ulong Aegis128LIntegrityLimit = 1UL << 52;

    private const int KeyOffset = 0;
    private const int IvOffset = 32;
    private const int StateOffset = 64;
    private const int AegisBytes = 16;
    private const int NonceBytes = 12;

    // For AEGIS-128L key and IV fill 16 bytes each, for the other two 32 and 12.
    private readonly KeyMemory _memory;

    private PacketCipher(CipherSuite suite, KeyMemory memory)
    {
        Suite = suite;
        TagBytes = CipherSuites.TagBytes(suite);
        _memory = memory;
    }

    public CipherSuite Suite { get; }

    /// <summary>What sealing adds.</summary>
    public int TagBytes { get; }

    public ulong ConfidentialityLimit => Suite switch
    {
        CipherSuite.Aegis128L => Aegis128LConfidentialityLimit,
        CipherSuite.Aes256Gcm => Aes256GcmConfidentialityLimit,
        _ => ChaCha20Poly1305ConfidentialityLimit,
    };

    public ulong IntegrityLimit => Suite switch
    {
        CipherSuite.Aegis128L => Aegis128LIntegrityLimit,
        CipherSuite.Aes256Gcm => Aes256GcmIntegrityLimit,
        _ => ChaCha20Poly1305IntegrityLimit,
    };

    /// <summary>Derives key and IV. The suite must be one of <see cref="CipherSuites.Supported"/>; the secret stays the caller's to erase.</summary>
    public static PacketCipher Create(CipherSuite suite, ReadOnlySpan<byte> secret32)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secret32.Length, SecretBytes);
        if (!CipherSuites.IsSupported(suite))
        {
            throw new ArgumentOutOfRangeException(nameof(suite), suite, "This machine does not run the suite.");
        }

        int stateBytes = suite == CipherSuite.Aes256Gcm ? (int)Sodium.crypto_aead_aes256gcm_statebytes() : 0;
        KeyMemory memory = new(StateOffset + stateBytes);
        bool wide = suite == CipherSuite.Aegis128L;
        KeyDerivation.Expand(secret32, "carrier 1 packet key"u8, memory.Span.Slice(KeyOffset, wide ? AegisBytes : 32));
        KeyDerivation.Expand(secret32, "carrier 1 packet iv"u8, memory.Span.Slice(IvOffset, wide ? AegisBytes : NonceBytes));
        if (suite == CipherSuite.Aes256Gcm)
        {
            _ = Sodium.crypto_aead_aes256gcm_beforenm(memory.Pointer + StateOffset, memory.Pointer + KeyOffset);
        }

        return new PacketCipher(suite, memory);
    }

    /// <summary>The secret of the next key phase. One-way: the old secret cannot be had from the new one. The spans may be the same.</summary>
    public static void NextSecret(ReadOnlySpan<byte> secret, Span<byte> next) =>
        KeyDerivation.Expand(secret, "carrier 1 key update"u8, next[..SecretBytes]);

    /// <summary>Writes ciphertext ‖ tag, <see cref="TagBytes"/> more than the plaintext, which may be the start of the destination itself.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Seal(ulong packetNumber, ReadOnlySpan<byte> header, ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        Span<byte> target = destination[..(plaintext.Length + TagBytes)];
        byte* keys = _memory.Pointer;
        byte* nonce = stackalloc byte[AegisBytes];
        WriteNonce(keys, nonce, packetNumber);
        fixed (byte* ad = header, message = plaintext, output = target)
        {
            _ = Suite switch
            {
                CipherSuite.Aegis128L => Sodium.crypto_aead_aegis128l_encrypt(
                    output, null, message, (ulong)plaintext.Length, ad, (ulong)header.Length, null, nonce, keys + KeyOffset),
                CipherSuite.Aes256Gcm => Sodium.crypto_aead_aes256gcm_encrypt_afternm(
                    output, null, message, (ulong)plaintext.Length, ad, (ulong)header.Length, null, nonce, keys + StateOffset),
                _ => Sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
                    output, null, message, (ulong)plaintext.Length, ad, (ulong)header.Length, null, nonce, keys + KeyOffset),
            };
        }

        GC.KeepAlive(_memory);
    }

    /// <summary>Opens in place: the plaintext is all but the last <see cref="TagBytes"/>. Too short or not authentic is false, and the bytes are then worthless:
    /// nothing else changes, so a forgery costs the caller no more than the work.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryOpen(ulong packetNumber, ReadOnlySpan<byte> header, Span<byte> sealedBytes)
    {
        if (sealedBytes.Length < TagBytes)
        {
            return false;
        }

        byte* keys = _memory.Pointer;
        byte* nonce = stackalloc byte[AegisBytes];
        int failure;
        WriteNonce(keys, nonce, packetNumber);
        fixed (byte* ad = header, bytes = sealedBytes)
        {
            failure = Suite switch
            {
                CipherSuite.Aegis128L => Sodium.crypto_aead_aegis128l_decrypt(
                    bytes, null, null, bytes, (ulong)sealedBytes.Length, ad, (ulong)header.Length, nonce, keys + KeyOffset),
                CipherSuite.Aes256Gcm => Sodium.crypto_aead_aes256gcm_decrypt_afternm(
                    bytes, null, null, bytes, (ulong)sealedBytes.Length, ad, (ulong)header.Length, nonce, keys + StateOffset),
                _ => Sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
                    bytes, null, null, bytes, (ulong)sealedBytes.Length, ad, (ulong)header.Length, nonce, keys + KeyOffset),
            };
        }

        GC.KeepAlive(_memory);
        return failure == 0;
    }

    public void Dispose() => _memory.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void WriteNonce(byte* keys, byte* nonce, ulong packetNumber)
    {
        // Sixteen bytes always: what the shorter nonces do not use is ignored.
        int bytes = Suite == CipherSuite.Aegis128L ? AegisBytes : NonceBytes;
        Unsafe.CopyBlockUnaligned(nonce, keys + IvOffset, AegisBytes);
        Span<byte> tail = new(nonce + bytes - sizeof(ulong), sizeof(ulong));
        BinaryPrimitives.WriteUInt64BigEndian(tail, BinaryPrimitives.ReadUInt64BigEndian(tail) ^ packetNumber);
    }
}
