using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Carrier.Core.Crypto;

/// <summary>HKDF-SHA256 (RFC 5869) as Carrier uses it: every derived value is at most one hash long, so no call allocates.</summary>
internal static unsafe class KeyDerivation
{
    public const int HashBytes = Sha256.HashBytes;

    /// <summary>Longest <c>info</c> any caller needs: a label and two public keys.</summary>
    private const int MaxInfoBytes = 128;

    /// <summary>At least what libsodium's crypto_auth_hmacsha256_state takes: two SHA-256 states of 104 bytes.</summary>
    private const int HmacStateBytes = 256;

    /// <summary>HKDF-Extract: one uniform secret from an unevenly random one.</summary>
    public static void Extract(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> input, Span<byte> secret) =>
        Hmac(salt, input, secret);

    /// <summary>HMAC-SHA-256 of something short. libsodium's: the platform's goes through a provider look-up that costs more than the hashing.</summary>
    [SkipLocalsInit]
    public static void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input, Span<byte> mac32)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mac32.Length, HashBytes);
        byte* state = stackalloc byte[HmacStateBytes];
        fixed (byte* k = key, i = input, mac = mac32)
        {
            _ = Sodium.crypto_auth_hmacsha256_init(state, k, (nuint)key.Length);
            _ = Sodium.crypto_auth_hmacsha256_update(state, i, (ulong)input.Length);
            _ = Sodium.crypto_auth_hmacsha256_final(state, mac);
        }

        CryptographicOperations.ZeroMemory(new Span<byte>(state, HmacStateBytes));
    }

    /// <summary>HKDF-Expand of <paramref name="secret"/> with <paramref name="label"/> as info, at most 32 bytes.</summary>
    public static void Expand(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> label, Span<byte> output) => Expand(secret, label, default, output);

    /// <summary>HKDF-Expand with info = <paramref name="label"/> ‖ <paramref name="context"/>, at most 32 bytes.</summary>
    public static void Expand(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> label, ReadOnlySpan<byte> context, Span<byte> output)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(output.Length, HashBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(label.Length + context.Length, MaxInfoBytes);
        Span<byte> info = stackalloc byte[MaxInfoBytes + 1];
        label.CopyTo(info);
        context.CopyTo(info[label.Length..]);
        int infoBytes = label.Length + context.Length;
        info[infoBytes] = 1; // T(1), the only block
        Span<byte> block = stackalloc byte[HashBytes];
        Hmac(secret, info[..(infoBytes + 1)], block);
        block[..output.Length].CopyTo(output);
        CryptographicOperations.ZeroMemory(block);
    }
}
