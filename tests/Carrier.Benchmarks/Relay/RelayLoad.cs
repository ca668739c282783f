using System.Diagnostics;

namespace Carrier.Benchmarks.Relay;

/// <summary>What a forwarder moved in one measurement.</summary>
/// <param name="MegabytesPerSecond">Received at the sinks.</param>
/// <param name="LostShare">Of what was sent.</param>
internal readonly record struct Forwarded(double MegabytesPerSecond, double LostShare);

/// <summary>Keeps a forwarder busy from one thread: a window of bytes is always under way, so that there is always something to forward and next to nothing overflows.</summary>
internal sealed class RelayLoad(IReadOnlyList<RelayFlow> flows)
{
    /// <summary>All flows together: half of what one socket's receive buffer was asked to hold.</summary>
    private const long WindowBytes = 2 << 20;

    private static readonly TimeSpan Draining = TimeSpan.FromMilliseconds(20);

    public Forwarded Run(TimeSpan duration)
    {
        (long sent, long received) = (flows.Sum(flow => flow.SentBytes), flows.Sum(flow => flow.ReceivedBytes));
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < duration)
        {
            foreach (RelayFlow flow in flows)
            {
                flow.Receive();
                flow.SendWithin(WindowBytes / flows.Count);
            }
        }

        double rate = (flows.Sum(flow => flow.ReceivedBytes) - received) / 1e6 / Stopwatch.GetElapsedTime(start).TotalSeconds;
        Drain();
        sent = flows.Sum(flow => flow.SentBytes) - sent;
        received = flows.Sum(flow => flow.ReceivedBytes) - received;
        return new Forwarded(rate, 1 - ((double)received / sent));
    }

    /// <summary>Lets what is under way arrive, so that the next measurement begins with empty queues.</summary>
    private void Drain()
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < Draining)
        {
            foreach (RelayFlow flow in flows)
            {
                flow.Receive();
            }
        }
    }
}
