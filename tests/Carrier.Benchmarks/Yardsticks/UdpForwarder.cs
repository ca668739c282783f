using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Net;

namespace Carrier.Benchmarks.Yardsticks;

/// <summary>The least it takes to forward UDP: recvmmsg and sendmmsg, the bytes untouched between them, nothing looked up, checked or counted.</summary>
/// <remarks>
/// With the offloads a message is a whole train both ways (UDP_GRO, UDP_SEGMENT) and a call moves <see cref="Messages"/> of them; without, a datagram.
/// Where it goes is in the datagram, at the place of a relay channel's id, so that both forwarders are given the same ones:
/// <code>
/// any (8) | zero (48) | port on 127.0.0.1 (16) | the rest
/// </code>
/// </remarks>
internal sealed unsafe class UdpForwarder : IDisposable
{
    /// <summary>Trains, or datagrams, a call.</summary>
    private const int Messages = 64;

    private const int PortOffset = 1 + sizeof(ulong) - sizeof(ushort);
    private const int AddressBytes = SocketAddressBytes.IPv4Bytes;
    private static readonly int ControlBytes = sizeof(Libc.CMsgHdr) + sizeof(nuint);

    private readonly Socket _socket = DatagramSockets.BindOne(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly byte[] _data = GC.AllocateUninitializedArray<byte>(Messages * DatagramSocket.SlabBytes, pinned: true);
    private readonly byte[] _addresses = GC.AllocateArray<byte>(Messages * AddressBytes, pinned: true);
    private readonly byte[] _control = GC.AllocateArray<byte>(Messages * ControlBytes, pinned: true);
    private readonly Libc.IoVec[] _vectors = GC.AllocateArray<Libc.IoVec>(Messages, pinned: true);
    private readonly Libc.MMsgHdr[] _messages = GC.AllocateArray<Libc.MMsgHdr>(Messages, pinned: true);

    private UdpForwarder(bool offloads)
    {
        if (offloads)
        {
            int on = 1;
            _socket.SetRawSocketOption(Libc.SolUdp, Libc.UdpGro, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in on)));
        }
    }

    /// <summary>Prints <c>READY PORT</c> and forwards until it is killed.</summary>
    public static void Serve(BenchOptions options)
    {
        using UdpForwarder forwarder = new(offloads: !options.NoGso);
        Console.WriteLine($"READY {((IPEndPoint)forwarder._socket.LocalEndPoint!).Port}");
        Libc.PollFd socket = new() { Fd = (int)forwarder._socket.Handle, Events = Libc.PollIn };
        while (true)
        {
            if (forwarder.Receive() is var count and > 0)
            {
                forwarder.Send(count);
            }
            else
            {
                _ = Libc.PPoll(&socket, 1, null, null);
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Receive()
    {
        for (int i = 0; i < Messages; i++)
        {
            _vectors[i] = new() { Base = At(_data, i * DatagramSocket.SlabBytes), Length = DatagramSocket.SlabBytes };
            _messages[i].Header = new()
            {
                IoVec = (Libc.IoVec*)Unsafe.AsPointer(ref _vectors[i]), IoVecCount = 1, Control = At(_control, i * ControlBytes), ControlLength = (nuint)ControlBytes,
            };
        }

        return Libc.RecvMMsg(_socket.SafeHandle, (Libc.MMsgHdr*)Unsafe.AsPointer(ref _messages[0]), Messages, Libc.MsgDontWait, null);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Send(int count)
    {
        for (int i = 0; i < count; i++)
        {
            ref Libc.MsgHdr message = ref _messages[i].Header;
            var received = (Libc.CMsgHdr*)message.Control;
            bool isTrain = message.ControlLength > 0 && received->Level == Libc.SolUdp && *(int*)(received + 1) < (int)_messages[i].Bytes;
            if (isTrain)
            {
                int segmentBytes = *(int*)(received + 1);
                *received = new() { Length = (nuint)(sizeof(Libc.CMsgHdr) + sizeof(ushort)), Level = Libc.SolUdp, Type = Libc.UdpSegment };
                *(ushort*)(received + 1) = (ushort)segmentBytes;
            }

            message.ControlLength = isTrain ? (nuint)ControlBytes : 0;
            byte* address = message.Name = At(_addresses, i * AddressBytes);
            message.NameLength = AddressBytes;
            SocketAddressBytes.WriteLinux(
                Core.Endpoint.FromIPv4(0x7F00_0001, BinaryPrimitives.ReadUInt16BigEndian(new(message.IoVec->Base + PortOffset, 2))), new(address, AddressBytes));
            message.IoVec->Length = _messages[i].Bytes;
        }

        for (int sent = 0; sent < count;)
        {
            // What the kernel refuses is skipped: on loopback nothing is, and a stuck yardstick would say nothing.
            sent += Math.Max(1, Libc.SendMMsg(_socket.SafeHandle, (Libc.MMsgHdr*)Unsafe.AsPointer(ref _messages[sent]), (uint)(count - sent), Libc.MsgDontWait));
        }
    }

    private static byte* At(byte[] pinned, int offset) => (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(pinned, offset);
}
