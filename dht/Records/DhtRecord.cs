using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Records;

/// <summary>Something kept in the DHT under a target. Immutable; parsed is not yet verified.</summary>
/// <remarks>
/// On the wire a CBOR map whose key 0 says which kind it is (<see cref="RecordKind"/>); the rest is the kind's. At most
/// <see cref="MaxBytes"/>, so that it fits one sealed datagram beside a write token.
/// </remarks>
public abstract class DhtRecord
{
    /// <summary>No record is longer.</summary>
    public const int MaxBytes = 1_250;

    private protected DhtRecord(byte[] encoded) => Encoded = encoded;

    public abstract RecordKind Kind { get; }

    /// <summary>Where it belongs; follows from its content.</summary>
    public abstract DhtKey Target { get; }

    public ReadOnlyMemory<byte> Encoded { get; }

    /// <summary>Whether it is genuine and in force. The signatures are checked once and remembered; the rest every time.</summary>
    /// <param name="now">Wall-clock time.</param>
    /// <param name="serialFloor">The highest revocation known of its owner; zero when none is.</param>
    public abstract RecordVerdict Verify(UnixTime now, ulong serialFloor);

    /// <summary>Reads one whole record and copies it.</summary>
    public static bool TryParse(ReadOnlySpan<byte> encoded, [NotNullWhen(true)] out DhtRecord? record)
    {
        record = null;
        CborReader reader = new(encoded);
        int key = -1;
        if (encoded.Length > MaxBytes
            || !reader.TryReadMap(out int pairs)
            || !reader.TryReadKey(ref key)
            || key != 0
            || !reader.TryReadUInt(out ulong kind))
        {
            return false;
        }

        record = (RecordKind)kind switch
        {
            RecordKind.Immutable => ImmutableRecord.ParseRest(encoded, reader, pairs - 1),
            RecordKind.Mutable => SignedRecord.ParseRest(encoded, reader, pairs - 1),
            RecordKind.Revocation => RevocationRecord.ParseRest(encoded, reader, pairs - 1),
            _ => null,
        };
        return record is not null;
    }

    /// <summary>The place of an identity itself.</summary>
    public static DhtKey TargetOf(TrustId owner)
    {
        Span<byte> bytes = stackalloc byte[TrustId.Bytes];
        owner.CopyTo(bytes);
        return new DhtKey(bytes);
    }
}

public enum RecordKind
{
    Immutable = 0,
    Mutable = 1,
    Revocation = 2,
}

/// <summary>What <see cref="DhtRecord.Verify"/> says.</summary>
public enum RecordVerdict
{
    Valid,
    BadSignature,

    /// <summary>Its delegation does not permit records, or is not yet in force.</summary>
    NotDelegated,
    Revoked,

    /// <summary>It, or its delegation, has expired.</summary>
    Expired,

    /// <summary>It would live longer than <see cref="SignedRecord.MaxLifetime"/>.</summary>
    ExpiresTooLate,
}
