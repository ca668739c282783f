using Carrier.Core.Session;

namespace Carrier.Driving;

/// <summary>Datagrams on their way between the network thread and the application: bounded, and a full box refuses the newest. Any thread.</summary>
internal sealed class DatagramBox
{
    /// <summary>Datagrams waiting one way, in bytes.</summary>
    private const int CapacityBytes = 256 << 10;

    private readonly Lock _lock = new();
    private readonly DatagramRing _queue = new(CapacityBytes);

    public bool TryPut(ReadOnlySpan<byte> datagram)
    {
        lock (_lock)
        {
            return _queue.TryEnqueue(datagram);
        }
    }

    /// <summary>Takes the oldest into <paramref name="destination"/>. What does not fit stays, and <paramref name="bytes"/> tells its size; zero when there is none.</summary>
    public bool TryTake(Span<byte> destination, out int bytes, out bool isMore)
    {
        lock (_lock)
        {
            bytes = _queue.NextBytes;
            bool taken = !_queue.IsEmpty && bytes <= destination.Length;
            if (taken)
            {
                _ = _queue.Dequeue(destination);
            }

            isMore = !_queue.IsEmpty;
            return taken;
        }
    }
}
