using System.Buffers.Binary;

namespace Carrier.Lab.Translation;

/// <summary>An IPv4 packet that holds an unfragmented UDP datagram, rewritten in place; checksums follow each change (RFC 1624).</summary>
internal readonly ref struct UdpPacket
{
    private const int UdpProtocol = 17;
    private const int UdpHeaderBytes = 8;

    private readonly Span<byte> _ip;
    private readonly Span<byte> _udp;

    private UdpPacket(Span<byte> packet, int headerBytes)
    {
        _ip = packet;
        _udp = packet[headerBytes..];
    }

    public Transport Source
    {
        get => Read(12, 0);
        set => Write(12, 0, value);
    }

    public Transport Destination
    {
        get => Read(16, 2);
        set => Write(16, 2, value);
    }

    public static bool TryParse(Span<byte> packet, out UdpPacket udp)
    {
        udp = default;
        int headerBytes = packet.Length < 20 ? 0 : (packet[0] & 0xF) * 4;
        bool isFragment = packet.Length >= 20 && (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3FFF) != 0;
        if (headerBytes < 20 || packet[0] >> 4 != 4 || packet[9] != UdpProtocol || isFragment || packet.Length < headerBytes + UdpHeaderBytes)
        {
            return false;
        }

        udp = new UdpPacket(packet, headerBytes);
        return true;
    }

    private Transport Read(int address, int port) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(_ip[address..]), BinaryPrimitives.ReadUInt16BigEndian(_udp[port..]));

    private void Write(int address, int port, Transport value)
    {
        Transport old = Read(address, port);
        BinaryPrimitives.WriteUInt32BigEndian(_ip[address..], value.Address);
        BinaryPrimitives.WriteUInt16BigEndian(_udp[port..], value.Port);
        Adjust(_ip[10..], old.Address, value.Address);
        Span<byte> checksum = _udp[6..];
        if (BinaryPrimitives.ReadUInt16BigEndian(checksum) != 0) // zero says that there is none
        {
            Adjust(checksum, old.Address, value.Address);
            Adjust(checksum, old.Port, value.Port);
        }
    }

    private static void Adjust(Span<byte> checksum, uint old, uint now)
    {
        uint sum = (uint)(ushort)~BinaryPrimitives.ReadUInt16BigEndian(checksum);
        sum += (ushort)~(ushort)old + (uint)(ushort)~(ushort)(old >> 16) + (ushort)now + (ushort)(now >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(checksum, (ushort)~sum);
    }
}

/// <summary>An IPv4 address and a UDP port.</summary>
internal readonly record struct Transport(uint Address, ushort Port);
