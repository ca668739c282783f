using System.Runtime.InteropServices;
using System.Text;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Delay;

/// <summary>A TUN interface of the current namespace: whole IP packets in and out, without a header of its own.</summary>
internal sealed class TunDevice : IDisposable
{
    private const short TunWithoutPacketInfo = 0x0001 | 0x1000;
    private const int InterfaceNameMaxBytes = 15;
    private const int InterfaceRequestBytes = 40;

    private readonly int _fd;

    public unsafe TunDevice(string name)
    {
        if (Encoding.ASCII.GetByteCount(name) > InterfaceNameMaxBytes)
        {
            throw new LabException($"interface name {name} is longer than {InterfaceNameMaxBytes} bytes");
        }

        _fd = Libc.Open("/dev/net/tun", Libc.OpenReadWrite | Libc.OpenNonBlocking | Libc.OpenCloseOnExec);
        Span<byte> request = stackalloc byte[InterfaceRequestBytes];
        request.Clear();
        Encoding.ASCII.GetBytes(name, request);
        MemoryMarshal.Write(request[16..], TunWithoutPacketInfo);
        fixed (byte* pointer = request)
        {
            if (_fd < 0 || Libc.IoControl(_fd, Libc.TunSetInterface, pointer) != 0)
            {
                throw new LabException($"cannot open TUN device {name}: {Marshal.GetLastPInvokeErrorMessage()}");
            }
        }
    }

    /// <summary>Reads one packet; false when none waits.</summary>
    public unsafe bool TryRead(Span<byte> buffer, out int bytes)
    {
        fixed (byte* pointer = buffer)
        {
            bytes = (int)Libc.Read(_fd, pointer, (nuint)buffer.Length);
        }

        return bytes > 0 || (Marshal.GetLastPInvokeError() is Libc.TryAgain or Libc.Interrupted
            ? false
            : throw new LabException($"reading the TUN device: {Marshal.GetLastPInvokeErrorMessage()}"));
    }

    /// <summary>Writes one packet; false when the kernel would not take it, as a link that loses a packet.</summary>
    public unsafe bool TryWrite(ReadOnlySpan<byte> packet)
    {
        fixed (byte* pointer = packet)
        {
            return Libc.Write(_fd, pointer, (nuint)packet.Length) == packet.Length;
        }
    }

    /// <summary>Sleeps until a packet waits or the time has passed; a negative time waits for a packet only.</summary>
    public unsafe void Wait(long nanoseconds)
    {
        var poll = new Libc.PollFd { Fd = _fd, Events = Libc.PollIn };
        var limit = new Libc.TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        _ = Libc.Poll(&poll, 1, nanoseconds < 0 ? null : &limit, 0);
    }

    /// <summary>Sleeps until a packet waits at one of several devices, or the time has passed.</summary>
    public static unsafe void WaitAny(IEnumerable<TunDevice> devices, long nanoseconds)
    {
        Libc.PollFd[] polls = [.. devices.Select(device => new Libc.PollFd { Fd = device._fd, Events = Libc.PollIn })];
        var limit = new Libc.TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        fixed (Libc.PollFd* pointer = polls)
        {
            _ = Libc.Poll(pointer, (nuint)polls.Length, &limit, 0);
        }
    }

    public void Dispose() => _ = Libc.Close(_fd);
}
