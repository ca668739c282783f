namespace Carrier.Tests;

/// <summary>Bytes a piece of code allocates on this thread.</summary>
internal static class AllocatedBytes
{
    private const int Tries = 5;

    /// <summary>
    /// The least of a few runs: what the code itself allocates, it allocates every time; what the runtime does once beside it (a method compiled anew, a type's first use), on a busy
    /// machine later than a warm-up would have it, it does not.
    /// </summary>
    public static long LeastOf(Action run)
    {
        long least = long.MaxValue;
        for (int i = 0; i < Tries && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
