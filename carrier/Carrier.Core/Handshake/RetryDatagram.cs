using System.Buffers.Binary;
using Carrier.Core.Wire;

namespace Carrier.Core.Handshake;

/// <summary>The stateless retry: <c>0x52 ‖ handshake id 8 ‖ cookie 1..32</c>. Smaller than any initiation.</summary>
internal readonly ref struct RetryDatagram
{
    public const int OverheadBytes = 1 + sizeof(ulong);

    public ulong HandshakeId { get; private init; }

    public ReadOnlySpan<byte> Cookie { get; private init; }

    public static bool TryRead(ReadOnlySpan<byte> datagram, out RetryDatagram retry)
    {
        retry = default;
        if (datagram.Length <= OverheadBytes || datagram.Length > OverheadBytes + InitiationDatagram.MaxCookieBytes
            || datagram[0] != (byte)PacketKind.HandshakeRetry)
        {
            return false;
        }

        retry = new() { HandshakeId = BinaryPrimitives.ReadUInt64BigEndian(datagram[1..]), Cookie = datagram[OverheadBytes..] };
        return true;
    }
}
