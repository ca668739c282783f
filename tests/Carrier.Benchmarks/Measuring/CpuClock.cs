namespace Carrier.Benchmarks.Measuring;

/// <summary>Processor time this process used, all threads, user and kernel (getrusage).</summary>
internal static class CpuClock
{
    public static double Seconds => Environment.CpuUsage.TotalTime.TotalSeconds;
}
