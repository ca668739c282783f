using System.Runtime.InteropServices;

namespace Carrier.Benchmarks.Measuring;

/// <summary>Which core a thread may use. A child process inherits the affinity of the thread that forks it, so that its runtime counts one processor from the start.</summary>
internal static partial class ProcessorCore
{
    /// <summary>Binds the calling thread to <paramref name="core"/>, modulo the cores there are; Linux only.</summary>
    public static void Pin(int core)
    {
        if (OperatingSystem.IsLinux())
        {
            ulong mask = 1UL << (core % Math.Min(Environment.ProcessorCount, 64));
            _ = SetAffinity(0, sizeof(ulong), in mask);
        }
    }

    /// <summary>Runs <paramref name="work"/> on a thread of its own that may only use <paramref name="core"/>.</summary>
    public static T Run<T>(int core, Func<T> work)
    {
        T? result = default;
        Thread thread = new(() =>
        {
            Pin(core);
            result = work();
        });
        thread.Start();
        thread.Join();
        return result!;
    }

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint maskBytes, in ulong mask);
}
