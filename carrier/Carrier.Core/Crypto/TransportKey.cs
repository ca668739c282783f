using System.Security.Cryptography;

namespace Carrier.Core.Crypto;

/// <summary>An X25519 key pair (RFC 7748): a node's transport key, a device's handshake key, or an ephemeral one.</summary>
/// <remarks>The private half lies outside the collected heap and is zeroed by <see cref="Dispose"/>.</remarks>
public sealed unsafe class TransportKey : IDisposable
{
    public const int Bytes = Sodium.X25519Bytes;

    /// <summary>Peers whose agreement a lasting key remembers, 64 bytes each.</summary>
    private const int MaxRemembered = 1_024;

    private readonly KeyMemory _private = new(Bytes);
    private SharedKeyCache? _remembered;

    private TransportKey(ReadOnlySpan<byte> privateKey)
    {
        privateKey.CopyTo(_private.Span);
        Span<byte> point = stackalloc byte[Bytes];
        fixed (byte* output = point)
        {
            _ = Sodium.crypto_scalarmult_base(output, _private.Pointer);
        }

        Public = new PublicKey(point);
    }

    public PublicKey Public { get; }

    public static TransportKey Generate(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        Span<byte> seed = stackalloc byte[Bytes];
        random.Fill(seed);
        TransportKey key = new(seed);
        CryptographicOperations.ZeroMemory(seed);
        return key;
    }

    /// <summary>Takes the 32 bytes <see cref="Export"/> wrote; they stay the caller's to erase.</summary>
    public static TransportKey Import(ReadOnlySpan<byte> privateKey)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(privateKey.Length, Bytes);
        return new TransportKey(privateKey);
    }

    /// <summary>Writes the private key, for a store that encrypts it; the bytes are the caller's to erase.</summary>
    public void Export(Span<byte> privateKey) => _private.Span.CopyTo(privateKey);

    /// <summary>X25519 with a remote key. False when that key has low order: the result would be zero whatever our key is (RFC 7748 §6.1).</summary>
    public bool TryAgree(in PublicKey remote, Span<byte> shared32)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shared32.Length, Bytes);
        int failed;
        fixed (byte* output = shared32, point = remote.Span)
        {
            failed = Sodium.crypto_scalarmult(output, _private.Pointer, point);
        }

        GC.KeepAlive(_private);
        return failed == 0;
    }

    /// <summary>As <see cref="TryAgree"/>, for two lasting keys: the result is always the same, so that of a peer met lately is remembered. Not for two threads.</summary>
    internal bool TryAgreeLasting(in PublicKey remote, Span<byte> shared32)
    {
        _remembered ??= new SharedKeyCache(MaxRemembered);
        if (_remembered.TryUse(remote, out ReadOnlySpan<byte> known))
        {
            known[..Bytes].CopyTo(shared32);
            return true;
        }

        bool agreed = TryAgree(remote, shared32);
        if (agreed)
        {
            _remembered.Add(remote, shared32[..Bytes]);
        }

        return agreed;
    }

    public void Dispose()
    {
        _private.Dispose();
        _remembered?.Dispose();
    }
}
