using Arm = System.Runtime.Intrinsics.Arm;
using X86 = System.Runtime.Intrinsics.X86;

namespace Carrier.Core.Crypto;

/// <summary>The AEAD of a session's packets. The numbers are on the wire.</summary>
public enum CipherSuite : byte
{
    /// <summary>RFC 8439. Every node has it.</summary>
    ChaCha20Poly1305 = 1,

    /// <summary>NIST SP 800-38D with a 96-bit nonce.</summary>
    Aes256Gcm = 2,

    /// <summary>draft-irtf-cfrg-aegis-aead with a 256-bit tag. Number 3 was the one with a 128-bit tag and stays unused.</summary>
    Aegis128L = 4,
}

/// <summary>Which suites this machine runs at hardware speed, and how two machines agree on one.</summary>
public static class CipherSuites
{
    /// <summary>The shortest tag of any suite.</summary>
    public const int MinTagBytes = 16;

    // Order is preference, measured: AEGIS-128L is three times as fast as AES-256-GCM, which is four times as fast as ChaCha20-Poly1305.
    private static readonly CipherSuite[] Preferred = FindSupported();

    /// <summary>The suites of this machine, the fastest first; ChaCha20-Poly1305 is always the last.</summary>
    public static ReadOnlySpan<CipherSuite> Supported => Preferred;

    /// <summary>What sealing adds to a packet.</summary>
    public static int TagBytes(CipherSuite suite) => suite == CipherSuite.Aegis128L ? 32 : MinTagBytes;

    public static bool IsSupported(CipherSuite suite) => Supported.Contains(suite);

    /// <summary>The first of <paramref name="localOrder"/> that the remote also has. Unknown numbers in the remote's set are ignored.</summary>
    public static bool TryChoose(ReadOnlySpan<CipherSuite> localOrder, ReadOnlySpan<CipherSuite> remoteSet, out CipherSuite chosen)
    {
        foreach (CipherSuite suite in localOrder)
        {
            if (remoteSet.Contains(suite))
            {
                chosen = suite;
                return true;
            }
        }

        chosen = default;
        return false;
    }

    private static CipherSuite[] FindSupported()
    {
        // libsodium would run AEGIS on any machine, in tables where there is no instruction for it: neither fast nor constant in time.
        if (!X86.Aes.IsSupported && !Arm.Aes.IsSupported)
        {
            return [CipherSuite.ChaCha20Poly1305];
        }

        return Sodium.crypto_aead_aes256gcm_is_available() != 0
            ? [CipherSuite.Aegis128L, CipherSuite.Aes256Gcm, CipherSuite.ChaCha20Poly1305]
            : [CipherSuite.Aegis128L, CipherSuite.ChaCha20Poly1305];
    }
}
