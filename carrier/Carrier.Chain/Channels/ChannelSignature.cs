using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Core.Identity;

namespace Carrier.Chain.Channels;

/// <summary>One party's signature over a channel transaction, r ‖ s, as a value. The default value is "none yet".</summary>
public readonly struct ChannelSignature : IEquatable<ChannelSignature>
{
    public const int Bytes = OwnerPublicKey.SignatureBytes;

    private readonly SignatureBytes _bytes;

    /// <summary>Takes exactly sixty-four bytes.</summary>
    public ChannelSignature(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Bytes);
        bytes.CopyTo(_bytes);
    }

    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>No signature: no signature is all zero, since r and s are at least 1.</summary>
    public bool IsNone => !Span.ContainsAnyExcept((byte)0);

    public static bool operator ==(ChannelSignature left, ChannelSignature right) => left.Equals(right);

    public static bool operator !=(ChannelSignature left, ChannelSignature right) => !left.Equals(right);

    public bool Equals(ChannelSignature other) => Span.SequenceEqual(other.Span);

    public override bool Equals(object? obj) => obj is ChannelSignature other && Equals(other);

    public override int GetHashCode() => string.GetHashCode(MemoryMarshal.Cast<byte, char>(Span));

    public override string ToString() => Convert.ToHexStringLower(Span);

    [InlineArray(Bytes)]
    private struct SignatureBytes
    {
        private byte _first;
    }
}
