using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>A node's UDP sockets, one an address family, on the same port where that is free. Used by one thread; disposing closes them.</summary>
internal sealed class DatagramSockets : IDisposable
{
    /// <summary>What is asked of the kernel for each direction; it grants at most <c>net.core.rmem_max</c> and <c>wmem_max</c>.</summary>
    internal const int KernelBufferBytes = 4 << 20;

    /// <summary>The same for a socket that is likely to hear nothing.</summary>
    internal const int SmallKernelBufferBytes = 16 << 10;

    /// <summary>Tries to find a port free in both address families before IPv6 takes another one.</summary>
    private const int SamePortAttempts = 8;

    private readonly DatagramSocket[] _receivers;

    // Separate from the receivers: when a send is refused, coalesced receives still arrive and still need to be understood.
    private readonly DatagramSocket[] _senders;

    private DatagramSockets(List<Socket> sockets, SocketKind? forcedKind)
    {
        _receivers = [.. sockets.Select(socket => Create(forcedKind ?? FastestKind(socket), socket, Counters))];
        _senders = [.. _receivers];
    }

    public SocketCounters Counters { get; } = new();

    /// <summary>How many sockets there are: one or two.</summary>
    public int Count => _receivers.Length;

    /// <summary>Opens the sockets.</summary>
    /// <exception cref="SocketException">The asked port is taken, or no address family works.</exception>
    public static DatagramSockets Bind(UdpBinding binding)
    {
        if (binding.ForcedKind is SocketKind.Gso or SocketKind.Mmsg && !OperatingSystem.IsLinux())
        {
            throw new PlatformNotSupportedException($"{binding.ForcedKind} sockets exist on Linux only.");
        }

        List<Socket> sockets = BindFamilies(binding);
        return new DatagramSockets(sockets, binding.ForcedKind);
    }

    /// <summary>The socket itself, for waiting on.</summary>
    public Socket this[int index] => _receivers[index].Socket;

    /// <summary>How datagrams are received.</summary>
    public SocketKind ReceiveKind => _receivers[0].Kind;

    /// <summary>How sends of this socket go now.</summary>
    public SocketKind SendKind(int index) => _senders[index].Kind;

    /// <summary>Has a socket's sends go another way from now on; receives stay as they are.</summary>
    internal void SendBy(int index, DatagramSocket sender) => _senders[index] = sender;

    /// <summary>The local address and port of a family, or none where the family has no socket.</summary>
    public Endpoint LocalEndpoint(AddressFamily family) =>
        IndexOf(family) is var index and >= 0 && this[index].LocalEndPoint is IPEndPoint local ? Endpoint.From(local) : default;

    /// <summary>The socket that serves <paramref name="family"/>, or -1.</summary>
    public int IndexOf(AddressFamily family)
    {
        for (int i = 0; i < _receivers.Length; i++)
        {
            if (_receivers[i].Socket.AddressFamily == family)
            {
                return i;
            }
        }

        return -1;
    }

    /// <inheritdoc cref="DatagramSocket.ReceivedEcn"/>
    public EcnCodepoint ReceivedEcn(int index) => _receivers[index].ReceivedEcn;

    /// <inheritdoc cref="DatagramSocket.HasTaken"/>
    public bool HasTaken(int index) => _receivers[index].HasTaken;

    /// <inheritdoc cref="DatagramSocket.TryReceive"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryReceive(int index, Span<byte> slab, out Endpoint remote, out int bytes, out int segmentBytes)
    {
        Counters.ReceiveCalls++;
        if (!_receivers[index].TryReceive(slab, out remote, out bytes, out segmentBytes))
        {
            return false;
        }

        Counters.DatagramsReceived += Datagrams(bytes, segmentBytes);
        Counters.BytesReceived += bytes;
        return true;
    }

    /// <summary>Sends by the socket of the destination's family, going over to a slower kind where the kernel refuses this one.</summary>
    /// <inheritdoc cref="DatagramSocket.Send"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public SendResult Send(
        Endpoint to, ReadOnlySpan<byte> datagrams, int segmentBytes, out int sentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable)
    {
        sentBytes = 0;
        SendResult result = SendResult.Failed;
        int index = IndexOf(to.Family);
        if (index >= 0)
        {
            do
            {
                Counters.SendCalls++;
                result = _senders[index].Send(to, datagrams[sentBytes..], segmentBytes, out int taken, ecn);
                sentBytes += taken;
                if (result == SendResult.Unsupported)
                {
                    Counters.Fallbacks++;
                    SendBy(index, Create(_senders[index].Kind + 1, _senders[index].Socket, Counters));
                }
            }
            while (result == SendResult.Unsupported); // the plain kind never is
        }

        Counters.BytesSent += sentBytes;
        Counters.DatagramsSent += result == SendResult.Sent || sentBytes > 0 ? Datagrams(sentBytes, segmentBytes) : 0;
        Counters.SendErrors += result == SendResult.Failed ? 1 : 0;
        Counters.SendsBlocked += result == SendResult.WouldBlock ? 1 : 0;
        return result;
    }

    public void Dispose()
    {
        foreach (DatagramSocket receiver in _receivers)
        {
            receiver.Socket.Dispose();
        }
    }

    private static int Datagrams(int bytes, int segmentBytes) => bytes == 0 ? 1 : (bytes + segmentBytes - 1) / segmentBytes;

    internal static DatagramSocket Create(SocketKind kind, Socket socket, SocketCounters counters)
    {
        if (kind == SocketKind.Gso)
        {
            GsoSocket.TryEnable(socket);
            return new GsoSocket(socket, counters);
        }

        return kind == SocketKind.Mmsg ? new MmsgSocket(socket, counters) : new PlainSocket(socket, counters);
    }

    private static SocketKind FastestKind(Socket socket) =>
        !OperatingSystem.IsLinux() ? SocketKind.Plain : GsoSocket.TryEnable(socket) ? SocketKind.Gso : SocketKind.Mmsg;

    private static List<Socket> BindFamilies(UdpBinding binding)
    {
        for (int attempt = 1; ; attempt++)
        {
            List<Socket> sockets = [];
            ushort port = binding.Port;
            if (binding.IPv4 is not null && Socket.OSSupportsIPv4)
            {
                sockets.Add(BindOne(new IPEndPoint(binding.IPv4, port)));
                port = (ushort)((IPEndPoint)sockets[0].LocalEndPoint!).Port;
            }

            if (binding.IPv6 is null || !Socket.OSSupportsIPv6)
            {
                return sockets.Count > 0 ? sockets : throw new SocketException((int)SocketError.AddressFamilyNotSupported);
            }

            try
            {
                sockets.Add(BindOne(new IPEndPoint(binding.IPv6, attempt < SamePortAttempts || binding.Port != 0 ? port : 0)));
                return sockets;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && binding.Port == 0 && attempt < SamePortAttempts)
            {
                sockets.ForEach(socket => socket.Dispose());
            }
            catch (SocketException e) when (e.SocketErrorCode != SocketError.AddressAlreadyInUse && sockets.Count > 0)
            {
                return sockets; // a kernel that knows IPv6 but was told to have no addresses
            }
            catch (SocketException)
            {
                sockets.ForEach(socket => socket.Dispose());
                throw;
            }
        }
    }

    internal static Socket BindOne(IPEndPoint local, int kernelBufferBytes = KernelBufferBytes)
    {
        Socket socket = new(local.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Blocking = false;
            socket.ReceiveBufferSize = kernelBufferBytes;
            socket.SendBufferSize = kernelBufferBytes;
            if (local.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            ForbidFragments(socket);
            socket.Bind(local);
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sets "don't fragment" and, on Linux, ignores what ICMP says of the path's MTU: only our own probes decide it (RFC 8899 §4.2), forged reports do not.</summary>
    private static void ForbidFragments(Socket socket)
    {
        const int IpMtuDiscover = 10;
        const int IpV6MtuDiscover = 23;
        const int Probe = 3;
        const int SioUdpConnReset = unchecked((int)0x9800000C);
        bool ipv4 = socket.AddressFamily == AddressFamily.InterNetwork;
        if (OperatingSystem.IsLinux())
        {
            int value = Probe;
            socket.SetRawSocketOption(
                (int)(ipv4 ? SocketOptionLevel.IP : SocketOptionLevel.IPv6),
                ipv4 ? IpMtuDiscover : IpV6MtuDiscover,
                MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));
        }
        else if (ipv4)
        {
            try
            {
                socket.DontFragment = true;
            }
            catch (SocketException)
            {
                return; // older macOS has no such option: large probes may then travel in fragments, small datagrams are unharmed
            }
        }

        if (OperatingSystem.IsWindows())
        {
            // Otherwise one unreachable peer makes receives fail until its report is consumed.
            socket.IOControl(SioUdpConnReset, [0, 0, 0, 0], null);
        }
    }
}
