using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Carrier.Net;

/// <summary>Wakes one waiting thread with one system call and no spinning on either side. Signals join until they are waited for.</summary>
internal abstract class ThreadSignal : IDisposable
{
    public static ThreadSignal Create() => OperatingSystem.IsLinux() ? new EventFdSignal() : new PortableSignal();

    /// <summary>Any thread.</summary>
    public abstract void Set();

    /// <summary>Sleeps until the next signal, or takes one that came before. One thread.</summary>
    public abstract void Wait();

    public abstract void Dispose();

    private sealed unsafe class EventFdSignal : ThreadSignal
    {
        private readonly SafeFileHandle _event = Libc.EventFd(0, Libc.EfdCloExec);

        public EventFdSignal()
        {
            if (_event.IsInvalid)
            {
                throw new IOException($"eventfd failed with errno {Marshal.GetLastPInvokeError()}.");
            }
        }

        public override void Set()
        {
            ulong one = 1;
            _ = Libc.Write(_event, &one, sizeof(ulong));
        }

        public override void Wait()
        {
            ulong signals;
            while (Libc.Read(_event, &signals, sizeof(ulong)) < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR)
            {
            }
        }

        public override void Dispose() => _event.Dispose();
    }

    private sealed class PortableSignal : ThreadSignal
    {
        private readonly AutoResetEvent _event = new(initialState: false);

        public override void Set() => _ = _event.Set();

        public override void Wait() => _ = _event.WaitOne();

        public override void Dispose() => _event.Dispose();
    }
}
