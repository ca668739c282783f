using System.Runtime.CompilerServices;

namespace Carrier.Core.Crypto;

/// <summary>A 32-byte public key, X25519 or Ed25519, as a value that can be compared and looked up.</summary>
public readonly struct PublicKey : IEquatable<PublicKey>
{
    public const int Bytes = 32;

    private readonly KeyBytes _bytes;

    /// <summary>Takes exactly 32 bytes; whether they are a point on the curve is for the algorithm to say.</summary>
    public PublicKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Bytes)
        {
            throw new ArgumentException("A public key has 32 bytes.", nameof(bytes));
        }

        bytes.CopyTo(_bytes);
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    public static bool operator ==(PublicKey left, PublicKey right) => left.Equals(right);

    public static bool operator !=(PublicKey left, PublicKey right) => !left.Equals(right);

    public bool Equals(PublicKey other) => Span.SequenceEqual(other.Span);

    public override bool Equals(object? obj) => obj is PublicKey other && Equals(other);

    // Peers choose their keys, so the hash is the runtime's seeded one: a table cannot be filled with chosen collisions.
    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.AddBytes(Span);
        return hash.ToHashCode();
    }

    public override string ToString() => Convert.ToHexStringLower(Span);

    [InlineArray(Bytes)]
    private struct KeyBytes
    {
        private byte _first;
    }
}
