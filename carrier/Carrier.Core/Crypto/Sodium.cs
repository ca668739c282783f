using System.Runtime.InteropServices;

namespace Carrier.Core.Crypto;

/// <summary>The libsodium calls that NSec does not expose or wraps too expensively. NSec's package brings the native library.</summary>
/// <remarks>All lengths are bytes. Calls return zero for success. Pointers are the caller's to keep alive; nothing here keeps one.</remarks>
internal static unsafe partial class Sodium
{
    public const int X25519Bytes = 32;

    private const string Library = "libsodium";

    // sodium_init chooses the implementations for this CPU; it may be called again and from any thread, and returns 1 then.
    static Sodium()
    {
        if (sodium_init() < 0)
        {
            throw new PlatformNotSupportedException("libsodium cannot be initialised on this machine.");
        }
    }

    /// <summary>X25519 (RFC 7748 §5); not zero when the result is all zero, that is when <paramref name="point"/> has low order.</summary>
    [LibraryImport(Library)]
    internal static partial int crypto_scalarmult(byte* shared, byte* scalar, byte* point);

    [LibraryImport(Library)]
    internal static partial int crypto_scalarmult_base(byte* point, byte* scalar);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aegis128l_encrypt(
        byte* sealedBytes, ulong* sealedLength, byte* message, ulong messageLength, byte* ad, ulong adLength, byte* nsec, byte* nonce, byte* key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aegis128l_decrypt(
        byte* message, ulong* messageLength, byte* nsec, byte* sealedBytes, ulong sealedLength, byte* ad, ulong adLength, byte* nonce, byte* key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aes256gcm_is_available();

    [LibraryImport(Library)]
    internal static partial nuint crypto_aead_aes256gcm_statebytes();

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aes256gcm_beforenm(byte* state, byte* key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aes256gcm_encrypt_afternm(
        byte* sealedBytes, ulong* sealedLength, byte* message, ulong messageLength, byte* ad, ulong adLength, byte* nsec, byte* nonce, byte* state);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aes256gcm_decrypt_afternm(
        byte* message, ulong* messageLength, byte* nsec, byte* sealedBytes, ulong sealedLength, byte* ad, ulong adLength, byte* nonce, byte* state);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_chacha20poly1305_ietf_encrypt(
        byte* sealedBytes, ulong* sealedLength, byte* message, ulong messageLength, byte* ad, ulong adLength, byte* nsec, byte* nonce, byte* key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_chacha20poly1305_ietf_decrypt(
        byte* message, ulong* messageLength, byte* nsec, byte* sealedBytes, ulong sealedLength, byte* ad, ulong adLength, byte* nonce, byte* key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_xchacha20poly1305_ietf_encrypt(
        byte* sealedBytes, ulong* sealedLength, byte* message, ulong messageLength, byte* ad, ulong adLength, byte* nsec, byte* nonce, byte* key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_xchacha20poly1305_ietf_decrypt(
        byte* message, ulong* messageLength, byte* nsec, byte* sealedBytes, ulong sealedLength, byte* ad, ulong adLength, byte* nonce, byte* key);

    /// <summary>BLAKE2b (RFC 7693), keyed when <paramref name="keyLength"/> is not zero.</summary>
    [LibraryImport(Library)]
    internal static partial int crypto_generichash(byte* hash, nuint hashLength, byte* input, ulong inputLength, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial int crypto_hash_sha256(byte* hash, byte* input, ulong inputLength);

    [LibraryImport(Library)]
    internal static partial int crypto_auth_hmacsha256_init(byte* state, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial int crypto_auth_hmacsha256_update(byte* state, byte* input, ulong inputLength);

    [LibraryImport(Library)]
    internal static partial int crypto_auth_hmacsha256_final(byte* state, byte* mac);

    [LibraryImport(Library)]
    private static partial int sodium_init();
}
