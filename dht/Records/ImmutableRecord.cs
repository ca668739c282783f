using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;
using NSec.Cryptography;

namespace Carrier.Dht.Records;

/// <summary>A value that is its own name: its target is its hash, so it needs no signature and never changes.</summary>
/// <remarks>
/// <code>
/// 0  kind    0
/// 1  value   bytes, 1 to 1,000
///
/// target = BLAKE2b-256("carrier immutable record" ‖ value), first 20 bytes
/// </code>
/// It has no expiry of its own; who keeps it drops it <see cref="RecordStore.ImmutableLifetime"/> after it was last put.
/// </remarks>
public sealed class ImmutableRecord : DhtRecord
{
    public const int MaxValueBytes = 1_000;

    private readonly byte[] _value;

    private ImmutableRecord(byte[] encoded, byte[] value)
        : base(encoded)
    {
        _value = value;
        Target = TargetOf(value);
    }

    public override RecordKind Kind => RecordKind.Immutable;

    public override DhtKey Target { get; }

    public ReadOnlyMemory<byte> Value => _value;

    public static ImmutableRecord Create(ReadOnlySpan<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfZero(value.Length, nameof(value));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value.Length, MaxValueBytes, nameof(value));
        CborWriter writer = new(stackalloc byte[MaxBytes]);
        writer.WriteMap(2);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)RecordKind.Immutable);
        writer.WriteUInt(1);
        writer.WriteBytes(value);
        return new ImmutableRecord(writer.Encoded.ToArray(), value.ToArray());
    }

    public override RecordVerdict Verify(UnixTime now, ulong serialFloor) => RecordVerdict.Valid;

    internal static ImmutableRecord? ParseRest(ReadOnlySpan<byte> encoded, CborReader reader, int pairs)
    {
        int key = 0;
        return pairs == 1
            && reader.TryReadKey(ref key) && key == 1
            && reader.TryReadBytes(out ReadOnlySpan<byte> value) && value.Length is > 0 and <= MaxValueBytes
            && reader.AtEnd
            ? new ImmutableRecord(encoded.ToArray(), value.ToArray())
            : null;
    }

    private static DhtKey TargetOf(ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> domain = "carrier immutable record"u8;
        Span<byte> input = stackalloc byte[domain.Length + MaxValueBytes];
        domain.CopyTo(input);
        value.CopyTo(input[domain.Length..]);
        Span<byte> hash = stackalloc byte[HashAlgorithm.Blake2b_256.HashSize];
        HashAlgorithm.Blake2b_256.Hash(input[..(domain.Length + value.Length)], hash);
        return new DhtKey(hash[..DhtKey.Bytes]);
    }
}
