using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Recovery;

/// <summary>What a sent packet counts for: RFC 9002 §2. A packet that is not ack-eliciting is not tracked at all.</summary>
[Flags]
public enum SentPacketTraits : byte
{
    None = 0,
    AckEliciting = 1,

    /// <summary>It counts against the congestion window.</summary>
    InFlight = 2,

    /// <summary>Its loss says something about the path MTU and nothing about congestion (RFC 9000 §14.4).</summary>
    MtuProbe = 4,

    /// <summary>It left marked ECT(0).</summary>
    Marked = 8,
}

/// <summary>One sent packet, 16 bytes. <see cref="Bytes"/> is 0 for a number skipped on purpose.</summary>
internal struct SentPacket
{
    public Instant SentAt;
    public int Frames;
    public ushort Bytes;
    public SentPacketTraits Traits;
    public byte Path;

    public readonly bool IsSkipped => Bytes == 0;
}

/// <summary>
/// The packets sent and not yet resolved, in a ring keyed by packet number. A number is <i>outstanding</i> (neither acknowledged nor
/// lost), <i>watched</i> (declared lost, but a late ACK would tell us so; or skipped, and an ACK would be a lie) or neither.
/// </summary>
internal sealed class SentPackets
{
    /// <summary>
    /// The longest stretch from the oldest unresolved packet to the newest: 380 MB in flight at 1,452 bytes. A peer that acknowledges
    /// nothing costs 4 MiB and their frame records, and then silences us.
    /// </summary>
    public const int MaxOutstanding = 1 << 18;

    /// <summary>Room to begin with: an idle session must stay small.</summary>
    private const int InitialCapacity = 16;

    private SentPacket[] _ring = new SentPacket[InitialCapacity];
    private PacketNumberSet _outstanding = new(PacketNumberSet.MinCapacity);
    private PacketNumberSet _watched = new(PacketNumberSet.MinCapacity);
    private int _watchedCount;

    /// <summary>No number below it is outstanding or watched.</summary>
    public ulong First { get; private set; }

    /// <summary>The number of the next packet.</summary>
    public ulong Next { get; private set; }

    public int OutstandingCount { get; private set; }

    public SentFrameStore Frames { get; } = new();

    /// <summary>What is resolved or only watched gives way; an outstanding packet does not.</summary>
    public bool HasRoom => Next - First < MaxOutstanding || !_outstanding.Contains(First);

    public ref SentPacket this[ulong packetNumber] => ref _ring[(int)(packetNumber & (ulong)(_ring.Length - 1))];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddOutstanding(in SentPacket packet)
    {
        MakeRoom();
        this[Next] = packet;
        _outstanding.Add(Next);
        OutstandingCount++;
        Next++;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddUntracked()
    {
        MakeRoom();
        Next++;
    }

    public void AddSkipped(Instant now)
    {
        MakeRoom();
        this[Next] = new SentPacket { SentAt = now };
        Watch(Next);
        Next++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryNextOutstanding(ulong from, ulong end, out ulong packetNumber) =>
        _outstanding.TryNext(Math.Max(from, First), Math.Min(end, Next), out packetNumber);

    public bool TryNextWatched(ulong from, ulong end, out ulong packetNumber)
    {
        packetNumber = 0;
        return _watchedCount > 0 && _watched.TryNext(Math.Max(from, First), Math.Min(end, Next), out packetNumber);
    }

    /// <summary>True for a number in the ring that was acknowledged (or never tracked).</summary>
    public bool IsResolved(ulong packetNumber) =>
        packetNumber < First || !(_outstanding.Contains(packetNumber) || _watched.Contains(packetNumber));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void RemoveOutstanding(ulong packetNumber)
    {
        _outstanding.Remove(packetNumber);
        OutstandingCount--;
    }

    public void Watch(ulong packetNumber)
    {
        _watched.Add(packetNumber);
        _watchedCount++;
    }

    public void RemoveWatched(ulong packetNumber)
    {
        _watched.Remove(packetNumber);
        _watchedCount--;
    }

    /// <summary>Stops watching packets sent before <paramref name="horizon"/>, and moves <see cref="First"/> up to what is unresolved.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Retire(Instant horizon)
    {
        while (TryNextWatched(First, Next, out ulong packetNumber) && this[packetNumber].SentAt < horizon)
        {
            StopWatching(packetNumber);
        }

        First = FirstUnresolved();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ulong FirstUnresolved()
    {
        ulong first = TryNextOutstanding(First, Next, out ulong outstanding) ? outstanding : Next;
        return TryNextWatched(First, first, out ulong watched) ? watched : first;
    }

    private void StopWatching(ulong packetNumber)
    {
        RemoveWatched(packetNumber);
        Frames.Release(this[packetNumber].Frames);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MakeRoom()
    {
        if (Next - First < (ulong)_ring.Length)
        {
            return;
        }

        First = FirstUnresolved();
        if (Next - First < (ulong)_ring.Length)
        {
            return;
        }

        if (_ring.Length < MaxOutstanding)
        {
            Grow();
            return;
        }

        // The ring is full: what is only watched gives way.
        while (Next - First >= (ulong)_ring.Length)
        {
            Debug.Assert(_watchedCount > 0, "The caller asks HasRoom first.");
            StopWatching(First);
            First = FirstUnresolved();
        }
    }

    private void Grow()
    {
        SentPacket[] old = _ring;
        PacketNumberSet outstanding = _outstanding;
        PacketNumberSet watched = _watched;
        int capacity = old.Length * 2;
        _ring = new SentPacket[capacity];
        _outstanding = new PacketNumberSet(Math.Max(capacity, PacketNumberSet.MinCapacity));
        _watched = new PacketNumberSet(Math.Max(capacity, PacketNumberSet.MinCapacity));
        for (ulong number = First; number < Next; number++)
        {
            this[number] = old[(int)(number & (ulong)(old.Length - 1))];
            if (outstanding.Contains(number))
            {
                _outstanding.Add(number);
            }
            else if (watched.Contains(number))
            {
                _watched.Add(number);
            }
        }
    }
}
