namespace Carrier.Core.Crypto;

/// <summary>XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): a nonce long enough to be drawn at random for every message.</summary>
internal static unsafe class XChaCha20Poly1305
{
    public const int KeyBytes = 32;
    public const int NonceBytes = 24;
    public const int TagBytes = 16;

    /// <summary>Seals in place: all but the last <see cref="TagBytes"/> of the buffer are plaintext, the tag takes these.</summary>
    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> header, Span<byte> buffer)
    {
        fixed (byte* k = key, n = nonce, ad = header, bytes = buffer)
        {
            _ = Sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
                bytes, null, bytes, (ulong)(buffer.Length - TagBytes), ad, (ulong)header.Length, null, n, k);
        }
    }

    /// <summary>Opens into another buffer, <see cref="TagBytes"/> shorter, and leaves the source as it is.</summary>
    public static bool TryOpen(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> header, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
    {
        fixed (byte* k = key, n = nonce, ad = header, source = sealedBytes, target = plaintext)
        {
            return 0 == Sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                target, null, null, source, (ulong)sealedBytes.Length, ad, (ulong)header.Length, n, k);
        }
    }
}
