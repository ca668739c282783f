using Carrier.Lab.Network;

namespace Carrier.Lab.Delay;

/// <summary>
/// Packets under way. Told the time and a packet, it says when that packet is due; packets of one sender leave in the order they came,
/// whatever the jitter. Slots are made once and reused: nothing is allocated a packet.
/// </summary>
internal sealed class DelayLine
{
    /// <summary>Packets under way at most; beyond it the line loses packets. A second of 100 Mbit/s in full packets and 20 ms of 1 Gbit/s in tiny ones.</summary>
    public const int MaxPackets = 16_384;

    public const int MaxPacketBytes = 1500;

    /// <summary>What a rate-limited uplink buffers before it drops, as time.</summary>
    public const long UplinkBufferNanoseconds = 100_000_000;

    private readonly LinkShape _shape;
    private readonly Random _random;
    private readonly byte[] _slots = new byte[MaxPackets * MaxPacketBytes];
    private readonly int[] _lengths = new int[MaxPackets];
    private readonly Stack<int> _free = new(Enumerable.Range(0, MaxPackets));
    private readonly PriorityQueue<int, (long Due, long Sequence)> _underWay = new(MaxPackets);
    private readonly Uplink[] _uplinks = new Uplink[256];
    private long _sequence;

    public DelayLine(LinkShape shape, Random random)
    {
        _shape = shape;
        _random = random;
    }

    public long Carried { get; private set; }

    public long Lost { get; private set; }

    /// <summary>When the next packet is due, or -1 when the line is empty.</summary>
    public long NextDue => _underWay.TryPeek(out _, out (long Due, long Sequence) key) ? key.Due : -1;

    /// <summary>Takes a packet in at <paramref name="now"/> (nanoseconds), or loses it.</summary>
    public void Enqueue(long now, ReadOnlySpan<byte> packet)
    {
        if (packet.Length > MaxPacketBytes || IsLost() || !TrySchedule(now, packet, out long due) || !_free.TryPop(out int slot))
        {
            Lost++;
            return;
        }

        packet.CopyTo(_slots.AsSpan(slot * MaxPacketBytes));
        _lengths[slot] = packet.Length;
        _underWay.Enqueue(slot, (due, _sequence++));
    }

    /// <summary>Gives the next packet whose time has come; the span is valid until the next call.</summary>
    public bool TryDequeue(long now, out ReadOnlySpan<byte> packet)
    {
        packet = default;
        if (NextDue is var due && (due < 0 || due > now))
        {
            return false;
        }

        int slot = _underWay.Dequeue();
        _free.Push(slot);
        packet = _slots.AsSpan(slot * MaxPacketBytes, _lengths[slot]);
        Carried++;
        return true;
    }

    private bool IsLost() => _shape.LossFraction > 0 && _random.NextDouble() < _shape.LossFraction;

    private bool TrySchedule(long now, ReadOnlySpan<byte> packet, out long due)
    {
        ref Uplink uplink = ref _uplinks[SenderOf(packet)];
        long sent = now;
        if (_shape.RateBitsPerSecond > 0)
        {
            long start = Math.Max(now, uplink.BusyUntil);
            if (start - now > UplinkBufferNanoseconds)
            {
                due = 0;
                return false;
            }

            sent = start + (packet.Length * 8_000_000_000L / _shape.RateBitsPerSecond);
            uplink.BusyUntil = sent;
        }

        long delay = _shape.Delay.Ticks * TimeSpan.NanosecondsPerTick;
        long jitter = _shape.Jitter > TimeSpan.Zero ? (long)(_random.NextDouble() * _shape.Jitter.Ticks * TimeSpan.NanosecondsPerTick) : 0;
        due = Math.Max(sent + delay + jitter, uplink.LastDue);
        uplink.LastDue = due;
        return true;
    }

    /// <summary>A site's number, which its IPv4 and IPv6 addresses share as it shares its uplink: the source's third byte, or the end of its third group. Anything else has uplink 0.</summary>
    private static int SenderOf(ReadOnlySpan<byte> packet) => (packet.Length, packet[0] >> 4) switch
    {
        (>= 20, 4) => packet[14],
        (>= 40, 6) => packet[13],
        _ => 0,
    };

    private struct Uplink
    {
        public long BusyUntil;
        public long LastDue;
    }
}
