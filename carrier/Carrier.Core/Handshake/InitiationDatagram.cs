using System.Buffers.Binary;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Core.Handshake;

/// <summary>A first handshake datagram, seen from outside: nothing here is proven.</summary>
/// <remarks>
/// <code>
/// 0   1  0x50
/// 1   1  version
/// 2   8  handshake id, the initiator's random choice
/// 10  1  cookie length c, 0..32
/// 11  c  cookie of an earlier 0x52
/// ..  2  noise length n
/// ..  n  noise message: ephemeral 32 ‖ sealed static 48 ‖ sealed payload
/// ..     zeros, to 1,200 bytes on a direct path
/// </code>
/// </remarks>
public readonly ref struct InitiationDatagram
{
    public const byte Version = 1;
    public const int MaxCookieBytes = 32;

    /// <summary>No handshake datagram is longer, nor a direct initiation shorter: it passes every IPv6 path (RFC 8200 §5) and pays for its answer.</summary>
    public const int MaxBytes = 1200;

    /// <summary>The longest payload an initiation carries and still has room for a cookie.</summary>
    public const int MaxPayloadBytes = MaxBytes - FixedBytes - MaxCookieBytes - NoiseIk.InitiationOverheadBytes;

    public const int PrologueBytes = 18 + 1 + TrustIdBytes + sizeof(ulong);

    private const int TrustIdBytes = 20;
    private const int FixedBytes = 1 + 1 + sizeof(ulong) + 1 + sizeof(ushort);
    private const int CookieOffset = FixedBytes - sizeof(ushort);

    public ulong HandshakeId { get; private init; }

    public ReadOnlySpan<byte> Cookie { get; private init; }

    public ReadOnlySpan<byte> Noise { get; private init; }

    /// <summary>The initiator's ephemeral key, in clear at the start of the noise message.</summary>
    public PublicKey Ephemeral => new(Noise[..PublicKey.Bytes]);

    public static bool TryRead(ReadOnlySpan<byte> datagram, out InitiationDatagram initiation)
    {
        initiation = default;
        if (datagram.Length < FixedBytes + NoiseIk.InitiationOverheadBytes || datagram.Length > MaxBytes
            || datagram[0] != (byte)PacketKind.HandshakeInitiation || datagram[1] != Version)
        {
            return false;
        }

        int cookieBytes = datagram[CookieOffset - 1];
        ReadOnlySpan<byte> rest = datagram[CookieOffset..];
        if (cookieBytes > MaxCookieBytes || cookieBytes + sizeof(ushort) > rest.Length)
        {
            return false;
        }

        int noiseBytes = BinaryPrimitives.ReadUInt16BigEndian(rest[cookieBytes..]);
        ReadOnlySpan<byte> noise = rest[(cookieBytes + sizeof(ushort))..];
        if (noiseBytes < NoiseIk.InitiationOverheadBytes || noiseBytes > noise.Length)
        {
            return false;
        }

        initiation = new()
        {
            HandshakeId = BinaryPrimitives.ReadUInt64BigEndian(datagram[2..]),
            Cookie = rest[..cookieBytes],
            Noise = noise[..noiseBytes],
        };
        return true;
    }

    /// <summary>Writes the datagram, padded with zeros to <see cref="MaxBytes"/> if asked; false when the buffer or that limit is too small.</summary>
    public static bool TryWrite(
        ulong handshakeId, ReadOnlySpan<byte> cookie, ReadOnlySpan<byte> noise, bool isPadded, Span<byte> datagram, out int datagramBytes)
    {
        int neededBytes = FixedBytes + cookie.Length + noise.Length;
        datagramBytes = isPadded ? MaxBytes : neededBytes;
        if (neededBytes > MaxBytes || datagramBytes > datagram.Length)
        {
            datagramBytes = 0;
            return false;
        }

        datagram[0] = (byte)PacketKind.HandshakeInitiation;
        datagram[1] = Version;
        BinaryPrimitives.WriteUInt64BigEndian(datagram[2..], handshakeId);
        datagram[CookieOffset - 1] = (byte)cookie.Length;
        cookie.CopyTo(datagram[CookieOffset..]);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[(CookieOffset + cookie.Length)..], (ushort)noise.Length);
        noise.CopyTo(datagram[(FixedBytes + cookie.Length)..]);
        datagram[neededBytes..datagramBytes].Clear();
        return true;
    }

    /// <summary>What both sides mix in first: the protocol's version, whom the initiator wants, and the handshake id, so that no byte of the
    /// header that matters can be altered on the way.</summary>
    public static void WritePrologue(ReadOnlySpan<byte> targetTrustId20, ulong handshakeId, Span<byte> prologue)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(targetTrustId20.Length, TrustIdBytes);
        "carrier handshake "u8.CopyTo(prologue);
        prologue[18] = Version;
        targetTrustId20.CopyTo(prologue[19..]);
        BinaryPrimitives.WriteUInt64BigEndian(prologue[(19 + TrustIdBytes)..], handshakeId);
    }
}
