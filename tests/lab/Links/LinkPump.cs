using System.Diagnostics;
using Carrier.Lab.Delay;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Links;

/// <summary>One direction of a link: takes packets from one TUN device and gives them to the other when <see cref="EmulatedLink"/> says. One thread runs it.</summary>
/// <remarks>Slots are made once and reused: nothing is allocated a packet.</remarks>
internal sealed class LinkPump(TunDevice from, TunDevice to, EmulatedLink link)
{
    /// <summary>Packets under way at most; beyond it they are lost and counted. A second of 180 Mbit/s in full packets.</summary>
    private const int MaxPackets = 16_384;

    private const int MaxPacketBytes = 1_500;

    /// <summary>Packets taken in before packets that are due are let out again.</summary>
    private const int BatchPackets = 64;

    private const long LongestSleepNanoseconds = 50_000_000; // so that a request to stop or to change is seen

    private readonly byte[] _slots = new byte[MaxPackets * MaxPacketBytes];
    private readonly int[] _lengths = new int[MaxPackets];
    private readonly Stack<int> _free = new(Enumerable.Range(0, MaxPackets));
    private readonly PriorityQueue<int, (long Due, long Order)> _underWay = new(MaxPackets);
    private LinkConditions? _next;
    private long _order;
    private bool _stopping;

    /// <summary>Packets that found no slot: the emulator itself was the limit, and what was measured is worthless.</summary>
    public long Overrun { get; private set; }

    public long Delivered { get; private set; }

    /// <summary>How late the latest packet left, of those that left at all.</summary>
    public TimeSpan WorstLateness { get; private set; }

    /// <summary>Packets that left more than a millisecond late.</summary>
    public long Late { get; private set; }

    public EmulatedLink Link => link;

    /// <summary>Has other conditions hold from now on. Any thread.</summary>
    public void Change(LinkConditions conditions) => Volatile.Write(ref _next, conditions);

    /// <summary>Ends <see cref="Run"/> soon. Any thread.</summary>
    public void Stop() => Volatile.Write(ref _stopping, true);

    public void Run()
    {
        // A packet that leaves late would be measured as the program under test being slow. Without the right to it the link still works.
        _ = Libc.SetRealTime();
        Span<byte> buffer = stackalloc byte[MaxPacketBytes];
        while (!Volatile.Read(ref _stopping))
        {
            if (Interlocked.Exchange(ref _next, null) is { } conditions)
            {
                link.Conditions = conditions;
            }

            for (int i = 0; i < BatchPackets && from.TryRead(buffer, out int bytes); i++)
            {
                Take(buffer[..bytes]);
            }

            Release();
            long due = _underWay.TryPeek(out _, out (long Due, long Order) key) ? key.Due - Now() : LongestSleepNanoseconds;
            from.Wait(Math.Clamp(due, 0, LongestSleepNanoseconds));
        }
    }

    private static long Now() => Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency);

    private void Take(ReadOnlySpan<byte> packet)
    {
        LinkVerdict verdict = link.Admit(Now(), packet.Length);
        for (int i = 0; i < verdict.Copies; i++)
        {
            if (!_free.TryPop(out int slot))
            {
                Overrun++;
                return;
            }

            packet.CopyTo(_slots.AsSpan(slot * MaxPacketBytes));
            _lengths[slot] = packet.Length;
            _underWay.Enqueue(slot, (verdict.DueNanoseconds, _order++));
        }
    }

    private void Release()
    {
        while (_underWay.TryPeek(out int slot, out (long Due, long Order) key) && Now() is var now && key.Due <= now)
        {
            _underWay.Dequeue();
            TimeSpan lateness = TimeSpan.FromTicks((now - key.Due) / TimeSpan.NanosecondsPerTick);
            WorstLateness = lateness > WorstLateness ? lateness : WorstLateness;
            Late += lateness > TimeSpan.FromMilliseconds(1) ? 1 : 0;
            _ = to.TryWrite(_slots.AsSpan(slot * MaxPacketBytes, _lengths[slot]));
            _free.Push(slot);
            Delivered++;
        }
    }
}
