using System.Buffers.Binary;
using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>Turns an <see cref="Endpoint"/> into the kernel's socket address and back, in place.</summary>
/// <remarks>
/// <code>
/// sockaddr_in   family 2 | port 2 | address 4  | zero 8
/// sockaddr_in6  family 2 | port 2 | flow 4     | address 16 | scope 4
/// </code>
/// Port and address are in network order at the same offsets on Linux, macOS and Windows; only the family field differs, so it is written separately.
/// </remarks>
internal static class SocketAddressBytes
{
    public const int IPv4Bytes = 16;
    public const int IPv6Bytes = 28;

    private const int PortOffset = 2;
    private const int IPv4AddressOffset = 4;
    private const int IPv6AddressOffset = 8;

    private const ushort LinuxInet = 2;
    private const ushort LinuxInet6 = 10;

    /// <summary>Writes Linux's family field, port and address; returns the length of the address. <paramref name="destination"/> must be zero.</summary>
    public static int WriteLinux(Endpoint endpoint, Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination, endpoint.IsIPv4 ? LinuxInet : LinuxInet6);
        Write(endpoint, destination);
        return endpoint.IsIPv4 ? IPv4Bytes : IPv6Bytes;
    }

    /// <summary>Writes port and address of an endpoint of the family <paramref name="destination"/> was made for.</summary>
    public static void Write(Endpoint endpoint, Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination[PortOffset..], endpoint.Port);
        endpoint.WriteAddress(destination[(endpoint.IsIPv4 ? IPv4AddressOffset : IPv6AddressOffset)..]);
    }

    public static Endpoint Read(AddressFamily family, ReadOnlySpan<byte> source)
    {
        ReadOnlySpan<byte> address = family == AddressFamily.InterNetwork ? source.Slice(IPv4AddressOffset, 4) : source.Slice(IPv6AddressOffset, 16);
        _ = Endpoint.TryFromBytes(address, BinaryPrimitives.ReadUInt16BigEndian(source[PortOffset..]), out Endpoint endpoint);
        return endpoint;
    }
}
