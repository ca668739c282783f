using System.Security.Cryptography;
using Carrier.Core.Crypto;

namespace Carrier.Core.Handshake;

/// <summary>What a handshake leaves to the session: the suite, a secret a direction for <see cref="PacketCipher"/>, and the channel binding.</summary>
/// <remarks>The holder disposes it as soon as the packet ciphers exist; the secrets are then zeroed.</remarks>
public sealed class SessionKeys : IDisposable
{
    public const int SecretBytes = PacketCipher.SecretBytes;

    private readonly KeyMemory _memory = new(3 * SecretBytes);

    internal SessionKeys(CipherSuite suite, NoiseIk noise, bool isInitiator)
    {
        Suite = suite;
        Span<byte> initiator = stackalloc byte[SecretBytes];
        Span<byte> responder = stackalloc byte[SecretBytes];
        noise.Split(initiator, responder);
        Span<byte> send = _memory.Span[..SecretBytes];
        Span<byte> receive = _memory.Span.Slice(SecretBytes, SecretBytes);
        KeyDerivation.Expand(initiator, "carrier 1 session initiator"u8, isInitiator ? send : receive);
        KeyDerivation.Expand(responder, "carrier 1 session responder"u8, isInitiator ? receive : send);
        noise.HandshakeHash.CopyTo(_memory.Span[(2 * SecretBytes)..]);
        CryptographicOperations.ZeroMemory(initiator);
        CryptographicOperations.ZeroMemory(responder);
    }

    public CipherSuite Suite { get; }

    /// <summary>The secret of what we send.</summary>
    public ReadOnlySpan<byte> SendSecret => _memory.Span[..SecretBytes];

    /// <summary>The secret of what we receive.</summary>
    public ReadOnlySpan<byte> ReceiveSecret => _memory.Span.Slice(SecretBytes, SecretBytes);

    /// <summary>The same on both sides and for no other handshake: what an inner signature signs to be bound to this session (Noise §11.2).</summary>
    public ReadOnlySpan<byte> HandshakeHash => _memory.Span[(2 * SecretBytes)..];

    public void Dispose() => _memory.Dispose();
}
