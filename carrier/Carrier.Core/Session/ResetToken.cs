using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Carrier.Core.Crypto;

namespace Carrier.Core.Session;

/// <summary>The sixteen bytes that prove a stateless reset comes from the node that issued a connection id (RFC 9000 §10.3).</summary>
public readonly struct ResetToken : IEquatable<ResetToken>
{
    public const int Bytes = 16;

    private readonly TokenBytes _bytes;

    public ResetToken(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Bytes)
        {
            throw new ArgumentException("A reset token has 16 bytes.", nameof(bytes));
        }

        bytes.CopyTo(_bytes);
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    public static bool operator ==(ResetToken left, ResetToken right) => left.Equals(right);

    public static bool operator !=(ResetToken left, ResetToken right) => !left.Equals(right);

    /// <summary>The key of all tokens of a node, from a secret that outlives the process (RFC 9000 §10.3.2): HKDF with the info <c>carrier 1 stateless reset</c>.</summary>
    public static byte[] DeriveKey(ReadOnlySpan<byte> secret)
    {
        byte[] key = new byte[KeyDerivation.HashBytes];
        Span<byte> uniform = stackalloc byte[KeyDerivation.HashBytes];
        KeyDerivation.Extract(default, secret, uniform);
        KeyDerivation.Expand(uniform, "carrier 1 stateless reset"u8, key);
        CryptographicOperations.ZeroMemory(uniform);
        return key;
    }

    /// <summary>The token of <paramref name="id"/>: HMAC-SHA-256 of it under the node's <paramref name="resetKey"/>, cut to 16 bytes.
    /// A node that lost its sessions but kept its key can still say so (RFC 9000 §10.3.2).</summary>
    public static ResetToken Derive(ReadOnlySpan<byte> resetKey, ConnectionId id)
    {
        Span<byte> message = stackalloc byte[ConnectionId.Bytes];
        Span<byte> mac = stackalloc byte[KeyDerivation.HashBytes];
        id.Write(message);
        KeyDerivation.Hmac(resetKey, message, mac);
        return new(mac[..Bytes]);
    }

    // In constant time: an attacker who measures us must not learn a token byte by byte.
    public bool Equals(ResetToken other) => CryptographicOperations.FixedTimeEquals(Span, other.Span);

    public override bool Equals(object? obj) => obj is ResetToken other && Equals(other);

    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(Span);

    public override string ToString() => "(reset token)";

    [InlineArray(Bytes)]
    private struct TokenBytes
    {
        private byte _first;
    }
}
