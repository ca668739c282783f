namespace Carrier.Lab.Links;

/// <summary>The fate of one packet.</summary>
/// <param name="Copies">0 lost, 1, or 2 when duplicated.</param>
/// <param name="DueNanoseconds">When every copy arrives.</param>
/// <param name="IsMarked">It met a filling queue that marks.</param>
public readonly record struct LinkVerdict(int Copies, long DueNanoseconds, bool IsMarked = false);

/// <summary>
/// One direction of an emulated link: told the time and a packet's size, it says whether and when that packet arrives. It holds no packet, and the same
/// seed and calls give the same verdicts, so virtual and real time share it.
/// </summary>
/// <remarks>A packet waits in the queue, is transmitted, may be lost on the wire, and takes the delay. A loss therefore costs the link's time as a real one does.</remarks>
public sealed class EmulatedLink(LinkConditions conditions, int seed)
{
    private readonly Random _random = new(seed);
    private long _busyUntil;
    private long _lastDue;
    private bool _inBurst;

    /// <summary>May change while packets are under way; those keep the time they were given.</summary>
    public LinkConditions Conditions { get; set; } = conditions;

    public long Delivered { get; private set; }

    /// <summary>Packets that found the queue full.</summary>
    public long Overflowed { get; private set; }

    /// <summary>Packets lost on the wire.</summary>
    public long Lost { get; private set; }

    /// <summary>Packets longer than the MTU.</summary>
    public long TooLong { get; private set; }

    /// <param name="nowNanoseconds">Never less than before.</param>
    /// <param name="packetBytes">The whole IP packet.</param>
    /// <param name="isMarkable">It is marked ECT.</param>
    public LinkVerdict Admit(long nowNanoseconds, int packetBytes, bool isMarkable = false)
    {
        LinkConditions link = Conditions;
        if (link.MtuBytes > 0 && packetBytes > link.MtuBytes)
        {
            TooLong++;
            return default;
        }

        long sent = nowNanoseconds;
        bool isMarked = false;
        if (link.RateBitsPerSecond > 0)
        {
            long start = Math.Max(nowNanoseconds, _busyUntil);
            long waitingBytes = (long)((start - nowNanoseconds) * (link.RateBitsPerSecond / 8e9));
            if (link.QueueBytes > 0 && waitingBytes + packetBytes > link.QueueBytes)
            {
                Overflowed++;
                return default;
            }

            isMarked = isMarkable && link.MarkAboveBytes > 0 && waitingBytes > link.MarkAboveBytes;
            sent = start + (packetBytes * 8_000_000_000L / link.RateBitsPerSecond);
            _busyUntil = sent;
        }

        if (IsLost(link) || (isMarkable && link.DropsMarkable))
        {
            Lost++;
            return default;
        }

        Delivered++;
        return new(Chance(link.Duplication) ? 2 : 1, DueAt(link, sent), isMarked);
    }

    private long DueAt(LinkConditions link, long sent)
    {
        long due = sent + Nanoseconds(link.Delay);
        if (link.Jitter > TimeSpan.Zero)
        {
            due += (long)(_random.NextDouble() * Nanoseconds(link.Jitter));
            due = link.JitterReorders ? due : Math.Max(due, _lastDue);
        }

        _lastDue = Math.Max(_lastDue, due);
        return Chance(link.Reorder) ? due + Nanoseconds(link.ReorderDelay) : due;
    }

    private bool IsLost(LinkConditions link)
    {
        if (link.LossBurstPackets <= 1)
        {
            return Chance(link.Loss);
        }

        // The chain stays in the bad state for a geometric number of packets, and in the good one for as long as the mean loss asks.
        double leaveBad = 1 / link.LossBurstPackets;
        double leaveGood = leaveBad * link.Loss / (1 - link.Loss);
        _inBurst = _inBurst ? !Chance(leaveBad) : Chance(leaveGood);
        return _inBurst;
    }

    private bool Chance(double fraction) => fraction > 0 && _random.NextDouble() < fraction;

    private static long Nanoseconds(TimeSpan time) => time.Ticks * TimeSpan.NanosecondsPerTick;
}
