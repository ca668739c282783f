using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat.Mdns;

namespace Carrier.OnLink;

/// <summary>One family's socket at port 5353, shared with whatever else speaks multicast DNS on this machine. Used by one task.</summary>
internal sealed class MulticastSocket : IDisposable
{
    /// <summary>What the group's messages leave with, and what tells others that they did not come from elsewhere (RFC 6762 §11).</summary>
    private const int HopLimit = 255;

    private const int SolSocket = 1;
    private const int SoReuseAddr = 2;
    private const int SoReusePort = 15;
    private const int IPProtoIPv6 = 41;
    private const int IPv6UnicastHops = 16;

    private readonly Socket _socket;
    private readonly byte[] _received = new byte[9000]; // RFC 6762 §17
    private readonly HashSet<int> _joined = [];

    private MulticastSocket(Socket socket) => _socket = socket;

    public AddressFamily Family => _socket.AddressFamily;

    private bool IsIPv4 => Family == AddressFamily.InterNetwork;

    /// <summary>Opens the family's socket; null where the system has none for us.</summary>
    public static MulticastSocket? TryOpen(AddressFamily family, out SocketError error)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(family, SocketType.Dgram, ProtocolType.Udp);
            Bind(socket);
            error = SocketError.Success;
            return new MulticastSocket(socket);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            error = e.SocketErrorCode;
            return null;
        }
    }

    /// <summary>Listens to the group on these interfaces too. One that vanished meanwhile is passed over.</summary>
    public void Join(IEnumerable<MdnsLink> links)
    {
        foreach (MdnsLink link in links)
        {
            if (!link.Speaks(Family) || !_joined.Add(link.Index))
            {
                continue;
            }

            try
            {
                JoinOn(link.Index);
            }
            catch (SocketException)
            {
                _ = _joined.Remove(link.Index); // tried again when the interfaces are next looked at
            }
        }
    }

    /// <summary>Waits for one datagram; its bytes lie in <see cref="Bytes"/> until the next call. Faults when the socket is closed.</summary>
    public Task<SocketReceiveMessageFromResult> ReceiveAsync() =>
        _socket.ReceiveMessageFromAsync(_received, SocketFlags.None, new IPEndPoint(IsIPv4 ? IPAddress.Any : IPAddress.IPv6Any, 0));

    public ReadOnlySpan<byte> Bytes(in SocketReceiveMessageFromResult result) => _received.AsSpan(0, result.ReceivedBytes);

    /// <summary>Sends by the interface of a link.</summary>
    /// <exception cref="SocketException">The kernel would not.</exception>
    public void Send(MdnsLink link, Endpoint to, ReadOnlySpan<byte> message)
    {
        IPEndPoint target = to.ToIPEndPoint();
        if (IsIPv4)
        {
            byte[] source = link.Addresses.ToArray().First(each => each.Address.IsIPv4).Address.ToIPEndPoint().Address.GetAddressBytes();
            _socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastInterface, source);
        }
        else
        {
            _socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.MulticastInterface, link.Index);
            bool needsScope = target.Address.IsIPv6LinkLocal || target.Address.IsIPv6Multicast;
            target.Address = needsScope ? new IPAddress(target.Address.GetAddressBytes(), link.Index) : target.Address;
        }

        _ = _socket.SendTo(message, target);
    }

    public void Dispose() => _socket.Dispose();

    private static void Bind(Socket socket)
    {
        Share(socket);
        bool isIPv4 = socket.AddressFamily == AddressFamily.InterNetwork;
        SocketOptionLevel level = isIPv4 ? SocketOptionLevel.IP : SocketOptionLevel.IPv6;
        if (!isIPv4)
        {
            socket.DualMode = false;
        }

        socket.SetSocketOption(level, SocketOptionName.PacketInformation, optionValue: true);
        socket.SetSocketOption(level, SocketOptionName.MulticastTimeToLive, HopLimit);
        socket.Bind(new IPEndPoint(isIPv4 ? IPAddress.Any : IPAddress.IPv6Any, MdnsMachine.Port));
    }

    // Both options, so that avahi, systemd-resolved and a second agent can have the port as well: Linux asks that all who share it agree on one of them,
    // and on SO_REUSEPORT only within one user.
    private static void Share(Socket socket)
    {
        if (socket.AddressFamily == AddressFamily.InterNetwork)
        {
            socket.Ttl = HopLimit;
        }

        if (OperatingSystem.IsLinux())
        {
            Span<byte> on = stackalloc byte[sizeof(int)];
            _ = BitConverter.TryWriteBytes(on, 1);
            socket.SetRawSocketOption(SolSocket, SoReuseAddr, on);
            socket.SetRawSocketOption(SolSocket, SoReusePort, on);
            if (socket.AddressFamily == AddressFamily.InterNetworkV6)
            {
                Span<byte> hops = stackalloc byte[sizeof(int)];
                _ = BitConverter.TryWriteBytes(hops, HopLimit);
                socket.SetRawSocketOption(IPProtoIPv6, IPv6UnicastHops, hops); // the framework has no name for it that Linux takes
            }
        }
        else
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, optionValue: true);
        }
    }

    private void JoinOn(int index)
    {
        if (IsIPv4)
        {
            MulticastOption option = new(MdnsMachine.IPv4Group.ToIPEndPoint().Address) { InterfaceIndex = index };
            _socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, option);
        }
        else
        {
            IPv6MulticastOption option = new(MdnsMachine.IPv6Group.ToIPEndPoint().Address, index);
            _socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.AddMembership, option);
        }
    }
}
