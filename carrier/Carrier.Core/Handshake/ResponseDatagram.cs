using System.Buffers.Binary;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Core.Handshake;

/// <summary>The second handshake datagram, seen from outside.</summary>
/// <remarks>
/// <code>
/// 0   1  0x51
/// 1   8  handshake id of the initiation
/// 9   2  noise length n
/// 11  n  noise message: ephemeral 32 ‖ sealed payload
/// </code>
/// </remarks>
internal readonly ref struct ResponseDatagram
{
    public const int OverheadBytes = 1 + sizeof(ulong) + sizeof(ushort);

    public ulong HandshakeId { get; private init; }

    public ReadOnlySpan<byte> Noise { get; private init; }

    public static bool TryRead(ReadOnlySpan<byte> datagram, out ResponseDatagram response)
    {
        response = default;
        if (datagram.Length < OverheadBytes + NoiseIk.ResponseOverheadBytes || datagram.Length > InitiationDatagram.MaxBytes
            || datagram[0] != (byte)PacketKind.HandshakeResponse
            || BinaryPrimitives.ReadUInt16BigEndian(datagram[9..]) != datagram.Length - OverheadBytes)
        {
            return false;
        }

        response = new() { HandshakeId = BinaryPrimitives.ReadUInt64BigEndian(datagram[1..]), Noise = datagram[OverheadBytes..] };
        return true;
    }

    /// <summary>Writes all but the noise message, which goes to <see cref="OverheadBytes"/>.</summary>
    public static void WriteHeader(ulong handshakeId, int noiseBytes, Span<byte> datagram)
    {
        datagram[0] = (byte)PacketKind.HandshakeResponse;
        BinaryPrimitives.WriteUInt64BigEndian(datagram[1..], handshakeId);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[9..], (ushort)noiseBytes);
    }
}
