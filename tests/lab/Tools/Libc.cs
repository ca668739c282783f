using System.Runtime.InteropServices;

namespace Carrier.Lab.Tools;

/// <summary>The few system calls .NET has no name for. Values are those of Linux on x64 and arm64.</summary>
internal static partial class Libc
{
    public const int OpenReadOnly = 0;
    public const int OpenReadWrite = 2;
    public const int OpenNonBlocking = 0x800;
    public const int OpenCloseOnExec = 0x80000;
    public const int CloneNewNet = 0x40000000;
    public const nuint TunSetInterface = 0x400454CA;
    public const short PollIn = 1;
    public const int TryAgain = 11;
    public const int Interrupted = 4;
    public const int Kill9 = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    [StructLayout(LayoutKind.Sequential)]
    public struct PollFd
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static unsafe partial nint Read(int fd, byte* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static unsafe partial nint Write(int fd, byte* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static unsafe partial int IoControl(int fd, nuint request, byte* argument);

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    public static unsafe partial int Poll(PollFd* fds, nuint count, TimeSpec* timeout, nint signalMask);

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNamespace(int fd, int kind);

    [LibraryImport("libc", EntryPoint = "setpriority", SetLastError = true)]
    public static partial int SetPriority(int which, int who, int nice);

    /// <summary>Has the calling thread run before everything that is not real-time (SCHED_FIFO, lowest priority); not 0 without the right to it.</summary>
    public static unsafe int SetRealTime()
    {
        const int fifo = 1;
        int priority = 1;
        return SetScheduler(0, fifo, &priority);
    }

    [LibraryImport("libc", EntryPoint = "sched_setscheduler", SetLastError = true)]
    private static unsafe partial int SetScheduler(int thread, int policy, int* priority);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int pid, int signal);
}
