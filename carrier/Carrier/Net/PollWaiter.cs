using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Carrier.Net;

/// <summary>Waits in ppoll(2), which keeps time in nanoseconds; an eventfd(2) wakes it.</summary>
internal sealed unsafe class PollWaiter : SocketWaiter
{
    private readonly SafeFileHandle _wake;
    private readonly DatagramSockets _sockets;
    private Libc.PollFd[] _fds = [];

    /// <summary>The sockets must outlive the last <see cref="Wait"/>: poll takes bare descriptors.</summary>
    public PollWaiter(DatagramSockets sockets)
    {
        _wake = Libc.EventFd(0, Libc.EfdNonBlockCloExec);
        if (_wake.IsInvalid)
        {
            throw new IOException($"eventfd failed with errno {Marshal.GetLastPInvokeError()}.");
        }

        _sockets = sockets;
        Watch([]);
    }

    public override void Watch(IReadOnlyCollection<Socket> others)
    {
        _fds = new Libc.PollFd[_sockets.Count + others.Count + 1];
        int i = 0;
        for (; i < _sockets.Count; i++)
        {
            _fds[i].Fd = (int)_sockets[i].Handle;
        }

        foreach (Socket other in others)
        {
            _fds[i++].Fd = (int)other.Handle;
        }

        _fds[^1].Fd = (int)_wake.DangerousGetHandle();
    }

    public override bool Wait(TimeSpan timeout, int writer)
    {
        for (int i = 0; i < _fds.Length; i++)
        {
            _fds[i].Events = i == writer ? (short)(Libc.PollIn | Libc.PollOut) : Libc.PollIn;
        }

        Libc.TimeSpec span = new()
        {
            Seconds = (nint)(timeout.Ticks / TimeSpan.TicksPerSecond),
            Nanoseconds = (nint)(timeout.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick),
        };
        int ready;
        fixed (Libc.PollFd* fds = _fds)
        {
            // An interrupted wait returns early, which the contract allows.
            ready = Libc.PPoll(fds, (nuint)_fds.Length, timeout == Timeout.InfiniteTimeSpan ? null : &span, null);
        }

        if (ready > 0 && _fds[^1].Returned != 0)
        {
            ulong wakes;
            _ = Libc.Read(_wake, &wakes, sizeof(ulong));
        }

        return ready > 0;
    }

    public override bool IsReadable(int index) => (_fds[index].Returned & ~Libc.PollOut) != 0;

    public override void Wake()
    {
        ulong one = 1;
        try
        {
            _ = Libc.Write(_wake, &one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            return; // the thread ended meanwhile: there is nobody to wake
        }
    }

    public override void Dispose() => _wake.Dispose();
}
