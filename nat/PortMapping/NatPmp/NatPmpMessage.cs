using System.Buffers.Binary;
using Carrier.Core;

namespace Carrier.Nat.PortMapping.NatPmp;

/// <summary>Operations of NAT-PMP (RFC 6886 §3.2, §3.3).</summary>
public enum NatPmpOpcode : byte
{
    ExternalAddress = 0,
    MapUdp = 1,
}

/// <summary>Requests of NAT-PMP, version 0, big-endian (RFC 6886 §3.2, §3.3).</summary>
/// <remarks>
/// <code>
/// external address:  00 00                                                                   2 bytes
/// map UDP:           00 01 | 0000 | internal port 2 | suggested external port 2 | lifetime 4   12 bytes; lifetime 0 deletes
/// </code>
/// </remarks>
public static class NatPmpRequest
{
    public const int ExternalAddressBytes = 2;
    public const int MapBytes = 12;

    /// <summary>Returns the length, or zero when it does not fit.</summary>
    public static int WriteExternalAddress(Span<byte> destination)
    {
        if (destination.Length < ExternalAddressBytes)
        {
            return 0;
        }

        destination[..ExternalAddressBytes].Clear();
        return ExternalAddressBytes;
    }

    /// <inheritdoc cref="WriteExternalAddress"/>
    public static int WriteMap(Span<byte> destination, ushort internalPort, ushort suggestedExternalPort, TimeSpan lifetime)
    {
        if (destination.Length < MapBytes)
        {
            return 0;
        }

        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)NatPmpOpcode.MapUdp << 16);
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], internalPort);
        BinaryPrimitives.WriteUInt16BigEndian(destination[6..], suggestedExternalPort);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], (uint)lifetime.TotalSeconds);
        return MapBytes;
    }
}

/// <summary>An answer of NAT-PMP, version 0, big-endian (RFC 6886 §3.2, §3.3).</summary>
/// <remarks>
/// <code>
/// external address:  00 80 | result 2 | epoch 4 (s) | IPv4 address 4                                             12 bytes
/// map UDP:           00 81 | result 2 | epoch 4 (s) | internal port 2 | external port 2 | lifetime 4 (s)         16 bytes
/// </code>
/// A refusal (result not 0) may end behind the epoch. Result 1 answers a version the gateway does not speak.
/// </remarks>
/// <param name="External">The address with port zero, or the port with address 0.0.0.0: each answer tells one half.</param>
public readonly record struct NatPmpAnswer(NatPmpOpcode Opcode, ushort Result, uint Epoch, ushort InternalPort, Endpoint External, TimeSpan Lifetime)
{
    public const int HeaderBytes = 8;

    private const byte AnswerBit = 0x80;

    public bool Succeeded => Result == 0;

    public static bool TryParse(ReadOnlySpan<byte> datagram, out NatPmpAnswer answer)
    {
        answer = default;
        if (datagram.Length < HeaderBytes || datagram[0] != 0 || datagram[1] is not (AnswerBit or (AnswerBit | (byte)NatPmpOpcode.MapUdp)))
        {
            return false;
        }

        answer = new NatPmpAnswer(
            (NatPmpOpcode)(datagram[1] & ~AnswerBit),
            BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]),
            BinaryPrimitives.ReadUInt32BigEndian(datagram[4..]),
            0,
            default,
            TimeSpan.Zero);
        if (!answer.Succeeded)
        {
            return true;
        }

        bool isMap = answer.Opcode == NatPmpOpcode.MapUdp;
        if (datagram.Length != (isMap ? 16 : 12))
        {
            return false;
        }

        answer = isMap
            ? answer with
            {
                InternalPort = BinaryPrimitives.ReadUInt16BigEndian(datagram[8..]),
                External = Endpoint.FromIPv4(0, BinaryPrimitives.ReadUInt16BigEndian(datagram[10..])),
                Lifetime = TimeSpan.FromSeconds(BinaryPrimitives.ReadUInt32BigEndian(datagram[12..])),
            }
            : answer with { External = Endpoint.FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(datagram[8..]), 0) };
        return true;
    }
}
