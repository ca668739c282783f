using System.Numerics;
using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Streams;

/// <summary>The streams that have something to send, in the order their turns come: by urgency, and round robin within one.</summary>
/// <remarks>A ring a level, linked through the streams themselves: nothing is allocated, and a turn costs the same however many streams wait.</remarks>
internal sealed class SendTurns
{
    // The last of each ring, whose next is the first; null where nobody waits. A bit each says which are not.
    private readonly StreamState?[] _last = new StreamState?[StreamPriority.LeastUrgent + 1];
    private uint _levels;

    public bool IsEmpty => _levels == 0;

    /// <summary>Puts a stream that is not in a ring at the end of that of its urgency.</summary>
    public void Add(StreamState stream)
    {
        int level = stream.Priority.Urgency;
        ref StreamState? last = ref _last[level];
        if (last is null)
        {
            stream.NextInTurn = stream;
            _levels |= 1U << level;
        }
        else
        {
            stream.NextInTurn = last.NextInTurn;
            last.NextInTurn = stream;
        }

        last = stream;
        stream.InSendQueue = true;
    }

    /// <summary>The stream whose turn it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryPeek(out StreamState stream)
    {
        if (_levels == 0)
        {
            stream = null!;
            return false;
        }

        stream = _last[BitOperations.TrailingZeroCount(_levels)]!.NextInTurn!;
        return true;
    }

    /// <summary>Ends the turn of the stream that <see cref="TryPeek"/> told.</summary>
    public void Rotate()
    {
        ref StreamState? last = ref _last[BitOperations.TrailingZeroCount(_levels)];
        last = last!.NextInTurn;
    }

    /// <summary>Takes out the stream that <see cref="TryPeek"/> told.</summary>
    public void RemoveFirst()
    {
        int level = BitOperations.TrailingZeroCount(_levels);
        RemoveAfter(level, _last[level]!);
    }

    /// <summary>Takes a stream out, wherever in its ring it is; not for the packet's way, since the ring is walked.</summary>
    public void Remove(StreamState stream)
    {
        int level = stream.Priority.Urgency;
        StreamState before = _last[level]!;
        while (before.NextInTurn != stream)
        {
            before = before.NextInTurn!;
        }

        RemoveAfter(level, before);
    }

    public void Clear()
    {
        Array.Clear(_last);
        _levels = 0;
    }

    private void RemoveAfter(int level, StreamState before)
    {
        StreamState removed = before.NextInTurn!;
        if (before == removed)
        {
            _last[level] = null;
            _levels &= ~(1U << level);
        }
        else
        {
            before.NextInTurn = removed.NextInTurn;
            _last[level] = _last[level] == removed ? before : _last[level];
        }

        removed.NextInTurn = null;
        removed.InSendQueue = false;
    }
}
