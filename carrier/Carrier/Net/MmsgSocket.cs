using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>Several datagrams a system call, each still its own pass through the network stack: what is left where segmentation is refused.</summary>
/// <remarks>Datagrams received together are joined when one sender sent them in one size, so the machine sees the same batches as from <see cref="GsoSocket"/>.</remarks>
internal sealed unsafe class MmsgSocket : DatagramSocket
{
    /// <summary>Datagrams a call.</summary>
    public const int MaxMessages = 32;

    /// <summary>The largest datagram received: a jumbo frame's. Carrier's peers stay below 1,500.</summary>
    public const int MaxDatagramBytes = 9_216;

    private readonly AddressFamily _family;
    private readonly SafeSocketHandle _handle;

    // Pinned, because the message headers below hold addresses into them for the socket's life.
    private readonly byte[] _data = GC.AllocateUninitializedArray<byte>(MaxMessages * MaxDatagramBytes, pinned: true);
    private readonly byte[] _addresses = GC.AllocateArray<byte>(MaxMessages * SocketAddressBytes.IPv6Bytes, pinned: true);
    private readonly Libc.IoVec[] _vectors = GC.AllocateArray<Libc.IoVec>(MaxMessages, pinned: true);
    private readonly Libc.MMsgHdr[] _messages = GC.AllocateArray<Libc.MMsgHdr>(MaxMessages, pinned: true);
    private int _next;
    private int _count;

    public MmsgSocket(Socket socket, SocketCounters counters)
        : base(socket, counters)
    {
        _family = socket.AddressFamily;
        _handle = socket.SafeHandle;
        for (int i = 0; i < MaxMessages; i++)
        {
            _vectors[i].Base = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(_data, i * MaxDatagramBytes);
            _vectors[i].Length = MaxDatagramBytes;
            _messages[i].Header.Name = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(_addresses, i * SocketAddressBytes.IPv6Bytes);
            _messages[i].Header.IoVec = (Libc.IoVec*)Marshal.UnsafeAddrOfPinnedArrayElement(_vectors, i);
            _messages[i].Header.IoVecCount = 1;
        }
    }

    public override SocketKind Kind => SocketKind.Mmsg;

    public override bool HasTaken => _next < _count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool TryReceive(Span<byte> slab, out Endpoint remote, out int bytes, out int segmentBytes)
    {
        for (int skipped = 0; skipped < MaxSkippedPerReceive; skipped++)
        {
            if (_next == _count && !TryFill())
            {
                break;
            }

            if (TryPeek(slab.Length, out remote, out segmentBytes))
            {
                bytes = Join(slab, remote, segmentBytes);
                return true;
            }

            _next++;
            Counters.Truncated++;
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
        Libc.MMsgHdr* messages = stackalloc Libc.MMsgHdr[MaxMessages];
        Libc.IoVec* vectors = stackalloc Libc.IoVec[MaxMessages];
        sentBytes = 0;
        fixed (byte* data = datagrams)
        {
            do
            {
                int count = 0;
                int offset = sentBytes;
                do
                {
                    int bytes = Math.Min(segmentBytes, datagrams.Length - offset);
                    vectors[count] = new() { Base = data + offset, Length = (nuint)bytes };
                    messages[count] = new()
                    {
                        Header = new() { Name = address, NameLength = (uint)addressBytes, IoVec = vectors + count, IoVecCount = 1 },
                    };
                    offset += bytes;
                    count++;
                }
                while (count < MaxMessages && offset < datagrams.Length);

                int sent = Libc.SendMMsg(_handle, messages, (uint)count, Libc.MsgDontWait);
                if (sent < 0 && Marshal.GetLastPInvokeError() is var error && error != Errno.EINTR)
                {
                    return error switch
                    {
                        Errno.EAGAIN => SendResult.WouldBlock,
                        Errno.ENOSYS => SendResult.Unsupported,
                        _ => SendResult.Failed,
                    };
                }

                sentBytes = Math.Min(sentBytes + (Math.Max(sent, 0) * segmentBytes), datagrams.Length);
            }
            while (sentBytes < datagrams.Length);
        }

        return SendResult.Sent;
    }

    private bool TryFill()
    {
        for (int i = 0; i < MaxMessages; i++)
        {
            _messages[i].Header.NameLength = SocketAddressBytes.IPv6Bytes;
        }

        _next = _count = 0;
        for (int errors = 0; errors < MaxSkippedPerReceive; errors++)
        {
            fixed (Libc.MMsgHdr* messages = _messages)
            {
                int received = Libc.RecvMMsg(_handle, messages, MaxMessages, Libc.MsgDontWait, null);
                if (received > 0)
                {
                    _count = received;
                    return true;
                }
            }

            if (Marshal.GetLastPInvokeError() is var error && error == Errno.EAGAIN)
            {
                return false;
            }

            if (error != Errno.EINTR)
            {
                Counters.ReceiveErrors++;
            }
        }

        return false;
    }

    private bool TryPeek(int capacityBytes, out Endpoint remote, out int bytes)
    {
        ref readonly Libc.MMsgHdr message = ref _messages[_next];
        remote = SocketAddressBytes.Read(_family, _addresses.AsSpan(_next * SocketAddressBytes.IPv6Bytes, SocketAddressBytes.IPv6Bytes));
        bytes = (int)message.Bytes;
        return (message.Header.Flags & Libc.MsgTrunc) == 0 && bytes <= capacityBytes;
    }

    /// <summary>Copies the datagram at the cursor and those after it that continue its batch; returns the bytes copied.</summary>
    private int Join(Span<byte> slab, Endpoint remote, int segmentBytes)
    {
        int copied = 0;
        int bytes = segmentBytes;
        do
        {
            _data.AsSpan(_next * MaxDatagramBytes, bytes).CopyTo(slab[copied..]);
            copied += bytes;
            _next++;
        }
        while (bytes == segmentBytes && bytes > 0 && _next < _count && TryPeek(slab.Length - copied, out Endpoint sender, out bytes)
            && bytes > 0 && bytes <= segmentBytes && sender == remote);
        return copied;
    }
}
