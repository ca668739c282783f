using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Records;

/// <summary>An owner's <see cref="Revocation"/>, kept beside the records it kills and returned with them.</summary>
/// <remarks>
/// <code>
/// 0  kind         2
/// 1  revocation   bytes: docs/protocol.md §3
/// </code>
/// Its target is the owner's TrustID; it may also be put wherever a record of that owner is kept.
/// </remarks>
public sealed class RevocationRecord : DhtRecord
{
    private RevocationRecord(byte[] encoded, Revocation revocation)
        : base(encoded)
    {
        Revocation = revocation;
        Target = TargetOf(revocation.TrustId);
    }

    public override RecordKind Kind => RecordKind.Revocation;

    public override DhtKey Target { get; }

    public Revocation Revocation { get; }

    public static RevocationRecord Create(Revocation revocation)
    {
        ArgumentNullException.ThrowIfNull(revocation);
        CborWriter writer = new(stackalloc byte[MaxBytes]);
        writer.WriteMap(2);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)RecordKind.Revocation);
        writer.WriteUInt(1);
        writer.WriteBytes(revocation.Encoded.Span);
        return new RevocationRecord(writer.Encoded.ToArray(), revocation);
    }

    public override RecordVerdict Verify(UnixTime now, ulong serialFloor) =>
        Revocation.Verify() ? RecordVerdict.Valid : RecordVerdict.BadSignature;

    internal static RevocationRecord? ParseRest(ReadOnlySpan<byte> encoded, CborReader reader, int pairs)
    {
        int key = 0;
        return pairs == 1
            && reader.TryReadKey(ref key) && key == 1
            && reader.TryReadBytes(out ReadOnlySpan<byte> bytes)
            && reader.AtEnd
            && Revocation.TryParse(bytes, out Revocation? revocation)
            ? new RevocationRecord(encoded.ToArray(), revocation)
            : null;
    }
}
