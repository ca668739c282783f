using Carrier.Core.Wire;

namespace Carrier.Core.Identity;

/// <summary>The envelope of what an owner signs: CBOR <c>[body, signature]</c>, both byte strings.</summary>
/// <remarks>
/// <code>
///  82  58 xx  body (CBOR map)  58 40  signature 64
/// </code>
/// The signature covers the body's bytes as they came, so a key a later version adds to the map stays covered by it.
/// </remarks>
internal static class OwnerStatement
{
    /// <summary>Longest statement read or written: what a handshake's first packet has room for beside all else.</summary>
    public const int MaxBytes = 220;

    /// <summary>Later than any honest date (9999-12-31T23:59:59Z), early enough that adding a lifetime cannot overflow.</summary>
    public static readonly UnixTime MaxTime = new(253_402_300_799);

    public static bool TryOpen(ReadOnlySpan<byte> encoded, out ReadOnlySpan<byte> body, out ReadOnlySpan<byte> signature)
    {
        body = default;
        signature = default;
        var reader = new CborReader(encoded);
        return encoded.Length <= MaxBytes
            && reader.TryReadArray(out int items)
            && items == 2
            && reader.TryReadBytes(out body)
            && reader.TryReadBytes(OwnerPublicKey.SignatureBytes, out signature)
            && reader.AtEnd;
    }

    public static byte[] Seal(OwnerKey owner, SignatureContext context, ReadOnlySpan<byte> body)
    {
        Span<byte> signature = stackalloc byte[OwnerPublicKey.SignatureBytes];
        owner.Sign(context, body, signature);
        var writer = new CborWriter(stackalloc byte[MaxBytes]);
        writer.WriteArray(2);
        writer.WriteBytes(body);
        writer.WriteBytes(signature);
        return writer.Encoded.ToArray();
    }

    public static bool TryReadOwner(ref CborReader reader, out OwnerPublicKey owner)
    {
        owner = default;
        return reader.TryReadBytes(OwnerPublicKey.Bytes, out ReadOnlySpan<byte> bytes) && OwnerPublicKey.TryFromBytes(bytes, out owner);
    }

    public static bool TryReadTime(ref CborReader reader, out UnixTime time)
    {
        bool read = reader.TryReadUInt(out ulong seconds) && seconds <= (ulong)MaxTime.Seconds;
        time = read ? new UnixTime((long)seconds) : default;
        return read;
    }

    /// <summary>Skips the <paramref name="count"/> keys a later version added after <paramref name="previous"/>, to the end.</summary>
    public static bool TrySkipUnknown(ref CborReader reader, int previous, int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadKey(ref previous) || !reader.TrySkip())
            {
                return false;
            }
        }

        return reader.AtEnd;
    }
}
