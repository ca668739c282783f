using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Recovery;

/// <summary>
/// The packet numbers received, newest range first: what the next ACK frame says, and the duplicate filter of the session
/// (RFC 9000 §13.2.3). In-order arrival costs a comparison; any other order at most one search and one move of
/// <see cref="MaxRanges"/> entries, so a hostile order costs a constant a packet.
/// </summary>
public sealed class AckRanges
{
    /// <summary>
    /// Ranges remembered. A peer that leaves more holes than this makes us forget its oldest packets, which it will then send
    /// again. A path with 20 ms of jitter that reorders leaves a hundred at 100 Mbit/s. An ACK tells as many of the newest as fit its packet.
    /// </summary>
    public const int MaxRanges = 256;

    /// <summary>Room to begin with: an idle session must stay small.</summary>
    private const int InitialRanges = 8;

    // Oldest first, so that the in-order case touches only the end.
    private AckRange[] _ranges = new AckRange[InitialRanges];

    // Packet numbers below it are forgotten: whether they came cannot be told, so they count as duplicates.
    private ulong _floor;

    public int Count { get; private set; }

    /// <summary>The largest packet number received; meaningless while <see cref="Count"/> is 0 (0 before the first packet).</summary>
    public ulong Largest { get; private set; }

    /// <summary>The range at <paramref name="index"/>, 0 being the newest: the order of an ACK frame.</summary>
    public AckRange this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return _ranges[Count - 1 - index];
        }
    }

    /// <summary>True for a packet number that <see cref="TryAdd"/> would refuse: received already, or too old to tell.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool IsDuplicate(ulong packetNumber)
    {
        if (Count > 0 && packetNumber > Largest)
        {
            return false;
        }

        int index = LastStartingAtOrBefore(packetNumber);
        return IsForgotten(packetNumber, index) || (index >= 0 && packetNumber <= _ranges[index].Largest);
    }

    /// <summary>Remembers a packet that was authenticated. False when it is a duplicate or too old to tell: drop it unprocessed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryAdd(ulong packetNumber)
    {
        if (Count > 0 && packetNumber == Largest + 1)
        {
            Largest = packetNumber;
            _ranges[Count - 1] = _ranges[Count - 1] with { Largest = packetNumber };
            return true;
        }

        int below = LastStartingAtOrBefore(packetNumber);
        if (IsForgotten(packetNumber, below) || (below >= 0 && packetNumber <= _ranges[below].Largest))
        {
            return false;
        }

        bool extendsBelow = below >= 0 && _ranges[below].Largest + 1 == packetNumber;
        bool extendsAbove = below + 1 < Count && _ranges[below + 1].Smallest == packetNumber + 1;
        if (extendsBelow && extendsAbove)
        {
            _ranges[below] = _ranges[below] with { Largest = _ranges[below + 1].Largest };
            RemoveAt(below + 1);
        }
        else if (extendsBelow)
        {
            _ranges[below] = _ranges[below] with { Largest = packetNumber };
        }
        else if (extendsAbove)
        {
            _ranges[below + 1] = _ranges[below + 1] with { Smallest = packetNumber };
        }
        else
        {
            InsertAfter(below, packetNumber);
        }

        Largest = _ranges[Count - 1].Largest;
        return true;
    }

    /// <summary>
    /// Stops reporting packets below <paramref name="packetNumber"/>, because the peer has acknowledged an ACK frame that reported
    /// them (RFC 9000 §13.2.4). The newest range is kept. They stay duplicates for ever.
    /// </summary>
    public void ForgetBelow(ulong packetNumber)
    {
        while (Count > 1 && _ranges[0].Largest < packetNumber)
        {
            DropOldest();
        }

        if (Count > 0 && _ranges[0].Smallest < packetNumber && packetNumber <= _ranges[0].Largest)
        {
            _floor = packetNumber;
            _ranges[0] = _ranges[0] with { Smallest = packetNumber };
        }
    }

    // With every range in use, a packet older than all of them would be the first to be forgotten.
    private bool IsForgotten(ulong packetNumber, int below) =>
        packetNumber < _floor || (below < 0 && Count == MaxRanges && packetNumber + 1 != _ranges[0].Smallest);

    private int LastStartingAtOrBefore(ulong packetNumber)
    {
        int low = 0;
        int high = Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (_ranges[middle].Smallest <= packetNumber)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return high;
    }

    private void InsertAfter(int below, ulong packetNumber)
    {
        if (Count == MaxRanges)
        {
            Debug.Assert(below >= 0, "A packet older than every range was refused.");
            DropOldest();
            below--;
        }
        else if (Count == _ranges.Length)
        {
            Array.Resize(ref _ranges, Math.Min(MaxRanges, 2 * Count));
        }

        Array.Copy(_ranges, below + 1, _ranges, below + 2, Count - below - 1);
        _ranges[below + 1] = new AckRange(packetNumber, packetNumber);
        Count++;
    }

    private void DropOldest()
    {
        _floor = _ranges[0].Largest + 1;
        RemoveAt(0);
    }

    private void RemoveAt(int index)
    {
        Count--;
        Array.Copy(_ranges, index + 1, _ranges, index, Count - index);
    }
}
