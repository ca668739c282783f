using System.Diagnostics.CodeAnalysis;
using NSec.Cryptography;
using PublicKey = Carrier.Core.Crypto.PublicKey;

namespace Carrier.Core.Identity;

/// <summary>The keys of one device, made on it: Ed25519 signs its records, X25519 meets its peers in handshakes. Bound to an owner by a <see cref="Delegation"/>.</summary>
/// <remarks>Any thread may sign. Private bytes are pinned or in libsodium's guarded memory, and zeroed on dispose.</remarks>
public sealed class DeviceKeys : IDisposable
{
    /// <summary>Ed25519 seed ‖ X25519 private key.</summary>
    public const int PrivateBytes = 2 * KeyBytes;

    public const int SignatureBytes = 64;

    private const int KeyBytes = 32;

    private readonly SecretBytes _private;
    private readonly Key _signing;

    private DeviceKeys(SecretBytes privateBytes)
    {
        _private = privateBytes;
        _signing = Key.Import(SignatureAlgorithm.Ed25519, privateBytes.Span[..KeyBytes], KeyBlobFormat.RawPrivateKey);
        using Key exchange = Key.Import(KeyAgreementAlgorithm.X25519, privateBytes.Span[KeyBytes..], KeyBlobFormat.RawPrivateKey);
        SigningKey = new PublicKey(_signing.PublicKey.Export(KeyBlobFormat.RawPublicKey));
        ExchangeKey = new PublicKey(exchange.PublicKey.Export(KeyBlobFormat.RawPublicKey));
    }

    /// <summary>Ed25519: verifies what this device signs.</summary>
    public PublicKey SigningKey { get; }

    /// <summary>X25519: the static key of this device's handshakes.</summary>
    public PublicKey ExchangeKey { get; }

    /// <summary>The X25519 private key, 32 bytes, for the handshake. A view, valid until dispose.</summary>
    public ReadOnlySpan<byte> ExchangePrivate => _private.Span[KeyBytes..];

    public static DeviceKeys Generate(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var bytes = new SecretBytes(PrivateBytes);
        random.Fill(bytes.Span);
        return new DeviceKeys(bytes);
    }

    /// <summary>Takes the 64 bytes <see cref="CopyPrivateTo"/> gave; the caller still owns and zeroes its copy.</summary>
    public static bool TryFromPrivate(ReadOnlySpan<byte> privateBytes, [NotNullWhen(true)] out DeviceKeys? keys)
    {
        keys = privateBytes.Length == PrivateBytes ? new DeviceKeys(new SecretBytes(privateBytes)) : null;
        return keys is not null;
    }

    /// <summary>Verifies a signature made by <see cref="Sign"/>. Strict: libsodium refuses low-order keys and any second encoding of a signature.</summary>
    public static bool Verify(in PublicKey signingKey, SignatureContext context, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(context);
        return signature.Length == SignatureBytes
            && NSec.Cryptography.PublicKey.TryImport(
                SignatureAlgorithm.Ed25519, signingKey.Span, KeyBlobFormat.RawPublicKey, out NSec.Cryptography.PublicKey? key)
            && SignatureAlgorithm.Ed25519.Verify(key!, context.Wrap(message), signature);
    }

    /// <summary>Ed25519 over the context and the message; <paramref name="signature"/> receives 64 bytes.</summary>
    public void Sign(SignatureContext context, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNotEqual(signature.Length, SignatureBytes);
        SignatureAlgorithm.Ed25519.Sign(_signing, context.Wrap(message), signature);
    }

    /// <summary>Copies out the 64 private bytes, for the keystore; the caller zeroes its copy.</summary>
    public void CopyPrivateTo(Span<byte> destination) => _private.Span.CopyTo(destination);

    public void Dispose()
    {
        _signing.Dispose();
        _private.Dispose();
    }
}
