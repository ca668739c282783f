using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>Generic segmentation and receive offload: one system call and one pass through the network stack for up to 64 KB of datagrams (Linux 4.18, 5.0).</summary>
internal sealed unsafe class GsoSocket(Socket socket, SocketCounters counters) : DatagramSocket(socket, counters)
{
    /// <summary>The kernel's UDP_MAX_SEGMENTS before Linux 6.9; newer ones take 128.</summary>
    public const int MaxSegments = 64;

    /// <summary>The largest UDP payload over IPv4; what one segmented send may hold as well.</summary>
    private const int MaxSendBytes = 65_507;

    /// <summary>Room for the two control messages we ask for (24 bytes each) and any a tracer adds.</summary>
    private const int ControlBytes = 96;

    /// <summary>A control message of at most a word.</summary>
    private static readonly nuint ControlMessageBytes = (nuint)(sizeof(Libc.CMsgHdr) + sizeof(nuint));

    /// <summary>The two bits of a TOS byte or traffic class that are ECN's.</summary>
    private const int EcnMask = 0x03;

    private readonly AddressFamily _family = socket.AddressFamily;
    private readonly SafeSocketHandle _handle = socket.SafeHandle;

    public override SocketKind Kind => SocketKind.Gso;

    /// <summary>Asks the kernel whether it knows segmentation on this socket and switches coalescing on. Old kernels coalesce nothing; that is only slower.</summary>
    public static bool TryEnable(Socket socket)
    {
        Span<byte> value = stackalloc byte[sizeof(int)];
        AskForMarks(socket);
        try
        {
            socket.GetRawSocketOption(Libc.SolUdp, Libc.UdpSegment, value);
        }
        catch (SocketException)
        {
            return false; // ENOPROTOOPT: before Linux 4.18, or a sandbox's own network stack
        }

        try
        {
            MemoryMarshal.Write(value, 1);
            socket.SetRawSocketOption(Libc.SolUdp, Libc.UdpGro, value);
        }
        catch (SocketException)
        {
            return true; // segmentation came a year before coalescing (Linux 5.0)
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool TryReceive(Span<byte> slab, out Endpoint remote, out int bytes, out int segmentBytes)
    {
        byte* address = stackalloc byte[SocketAddressBytes.IPv6Bytes];
        byte* control = stackalloc byte[ControlBytes];
        fixed (byte* data = slab)
        {
            Libc.IoVec vector = new() { Base = data, Length = (nuint)slab.Length };
            for (int skipped = 0; skipped < MaxSkippedPerReceive; skipped++)
            {
                Libc.MsgHdr message = new()
                {
                    Name = address,
                    NameLength = SocketAddressBytes.IPv6Bytes,
                    IoVec = &vector,
                    IoVecCount = 1,
                    Control = control,
                    ControlLength = ControlBytes,
                };
                nint received = Libc.RecvMsg(_handle, &message, Libc.MsgDontWait);
                if (received >= 0 && (message.Flags & Libc.MsgTrunc) == 0)
                {
                    remote = SocketAddressBytes.Read(_family, new ReadOnlySpan<byte>(address, SocketAddressBytes.IPv6Bytes));
                    bytes = (int)received;
                    segmentBytes = ReadControl(message, bytes);
                    return true;
                }

                if (received >= 0)
                {
                    Counters.Truncated++;
                }
                else if (Marshal.GetLastPInvokeError() is var error && error == Errno.EAGAIN)
                {
                    break;
                }
                else if (error != Errno.EINTR)
                {
                    Counters.ReceiveErrors++;
                }
            }
        }

        (remote, bytes, segmentBytes) = (default, 0, 0);
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override SendResult Send(
        Endpoint to, ReadOnlySpan<byte> datagrams, int segmentBytes, out int sentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable)
    {
        byte* address = stackalloc byte[SocketAddressBytes.IPv6Bytes];
        new Span<byte>(address, SocketAddressBytes.IPv6Bytes).Clear();
        int addressBytes = SocketAddressBytes.WriteLinux(to, new Span<byte>(address, SocketAddressBytes.IPv6Bytes));
        Libc.MsgHdr message = new() { Name = address, NameLength = (uint)addressBytes };
        int chunkBytes = segmentBytes * Math.Clamp(MaxSendBytes / Math.Max(segmentBytes, 1), 1, MaxSegments);
        sentBytes = 0;
        fixed (byte* data = datagrams)
        {
            do
            {
                int bytes = Math.Min(chunkBytes, datagrams.Length - sentBytes);
                int error = SendChunk(ref message, data + sentBytes, bytes, segmentBytes, ecn);
                if (error != 0 && bytes > segmentBytes && IsRefusal(error))
                {
                    // Either the offload or the destination is at fault (port zero, a segment above the interface's MTU), and any peer can name a
                    // bad destination. One datagram sent plainly tells which, so that nobody can talk a node out of its fast path.
                    bytes = segmentBytes;
                    error = SendChunk(ref message, data + sentBytes, bytes, segmentBytes, ecn);
                    if (error == 0)
                    {
                        sentBytes += bytes;
                        return SendResult.Unsupported;
                    }
                }

                if (error != 0)
                {
                    return error == Errno.EAGAIN ? SendResult.WouldBlock : SendResult.Failed;
                }

                sentBytes += bytes;
            }
            while (sentBytes < datagrams.Length);
        }

        return SendResult.Sent;
    }

    private static bool IsRefusal(int error) => error is Errno.EINVAL or Errno.EIO or Errno.EMSGSIZE or Errno.ENOPROTOOPT or Errno.EOPNOTSUPP;

    /// <summary>Has received marks told. Where that is refused none is ever told, and peers find out that we cannot count them.</summary>
    private static void AskForMarks(Socket socket)
    {
        bool ipv4 = socket.AddressFamily == AddressFamily.InterNetwork;
        int on = 1;
        try
        {
            socket.SetRawSocketOption(
                ipv4 ? Libc.SolIp : Libc.SolIpV6, ipv4 ? Libc.IpRecvTos : Libc.IpV6RecvTrafficClass, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in on)));
        }
        catch (SocketException)
        {
            return; // a sandbox's own network stack
        }
    }

    private static nuint Aligned(nuint bytes) => (bytes + (nuint)sizeof(nuint) - 1) & ~((nuint)sizeof(nuint) - 1);

    /// <summary>Reads how the batch was marked, and returns its segment size; a single datagram carries none.</summary>
    private int ReadControl(in Libc.MsgHdr message, int bytes)
    {
        int segmentBytes = bytes;
        ReceivedEcn = EcnCodepoint.NotCapable;
        nuint headerBytes = (nuint)sizeof(Libc.CMsgHdr);
        for (nuint at = 0; at + headerBytes < message.ControlLength;)
        {
            var header = (Libc.CMsgHdr*)(message.Control + at);
            if (header->Length <= headerBytes || at + header->Length > message.ControlLength)
            {
                break;
            }

            byte* value = (byte*)(header + 1);
            switch (header->Level, header->Type)
            {
                case (Libc.SolUdp, Libc.UdpGro) when header->Length >= headerBytes + sizeof(int) && *(int*)value > 0:
                    segmentBytes = Math.Min(*(int*)value, bytes);
                    break;
                case (Libc.SolIp, Libc.IpTos):
                    ReceivedEcn = (EcnCodepoint)(*value & EcnMask);
                    break;
                case (Libc.SolIpV6, Libc.IpV6TrafficClass) when header->Length >= headerBytes + sizeof(int):
                    ReceivedEcn = (EcnCodepoint)(*(int*)value & EcnMask);
                    break;
                default:
                    break;
            }

            at += Aligned(header->Length);
        }

        return segmentBytes;
    }

    /// <summary>Appends a control message's header and returns where its value goes.</summary>
    private static byte* AddControl(ref Libc.MsgHdr message, byte* control, int level, int type, int valueBytes)
    {
        var header = (Libc.CMsgHdr*)(control + message.ControlLength);
        header->Length = (nuint)(sizeof(Libc.CMsgHdr) + valueBytes);
        header->Level = level;
        header->Type = type;
        message.ControlLength += ControlMessageBytes;
        return (byte*)(header + 1);
    }

    /// <summary>Sends one chunk and returns errno, zero on success.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int SendChunk(ref Libc.MsgHdr message, byte* data, int bytes, int segmentBytes, EcnCodepoint ecn)
    {
        Libc.IoVec vector = new() { Base = data, Length = (nuint)bytes };
        byte* control = stackalloc byte[2 * (int)ControlMessageBytes];
        message.IoVec = &vector;
        message.IoVecCount = 1;
        message.ControlLength = 0;
        if (bytes > segmentBytes)
        {
            *(ushort*)AddControl(ref message, control, Libc.SolUdp, Libc.UdpSegment, sizeof(ushort)) = (ushort)segmentBytes;
        }

        if (ecn != EcnCodepoint.NotCapable)
        {
            bool ipv4 = _family == AddressFamily.InterNetwork;
            *(int*)AddControl(ref message, control, ipv4 ? Libc.SolIp : Libc.SolIpV6, ipv4 ? Libc.IpTos : Libc.IpV6TrafficClass, sizeof(int)) = (int)ecn;
        }

        message.Control = message.ControlLength > 0 ? control : null;
        fixed (Libc.MsgHdr* pinned = &message)
        {
            int error;
            do
            {
                error = Libc.SendMsg(_handle, pinned, Libc.MsgDontWait) >= 0 ? 0 : Marshal.GetLastPInvokeError();
            }
            while (error == Errno.EINTR);
            return error;
        }
    }
}
