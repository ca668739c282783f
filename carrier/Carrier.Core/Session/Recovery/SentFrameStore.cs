using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Recovery;

/// <summary>
/// The frame records of every packet in flight: linked lists through one array that grows by doubling and then recycles, so a packet
/// costs no allocation. It holds at most what the packets outstanding hold, which <see cref="LossDetector"/> bounds.
/// </summary>
internal sealed class SentFrameStore
{
    /// <summary>Room to begin with: an idle session must stay small.</summary>
    private const int InitialRecords = 8;

    private struct Record
    {
        public SentFrame Frame;
        public int Next;
    }

    private Record[] _records = new Record[InitialRecords];

    // Head of the list of records given back, and how many were ever used. Indexes are one-based: 0 is none.
    private int _free;
    private int _used;

    /// <summary>Records in lists: zero when everything sent was resolved and drained.</summary>
    public int Count { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Append(ref SentFrames list, in SentFrame frame)
    {
        int index = Take();
        _records[index - 1].Frame = frame;
        _records[index - 1].Next = 0;
        if (list.Head == 0)
        {
            list.Head = index;
        }
        else
        {
            _records[list.Tail - 1].Next = index;
        }

        list.Tail = index;
    }

    /// <summary>Moves the list that begins at <paramref name="head"/> to the end of <paramref name="list"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Splice(ref SentFrames list, int head)
    {
        if (head == 0)
        {
            return;
        }

        if (list.Head == 0)
        {
            list.Head = head;
        }
        else
        {
            _records[list.Tail - 1].Next = head;
        }

        while (_records[head - 1].Next != 0)
        {
            head = _records[head - 1].Next;
        }

        list.Tail = head;
    }

    /// <summary>Copies the list that begins at <paramref name="head"/> to the end of <paramref name="list"/>.</summary>
    public void Copy(ref SentFrames list, int head)
    {
        for (; head != 0; head = _records[head - 1].Next)
        {
            Append(ref list, _records[head - 1].Frame);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryTake(ref SentFrames list, out SentFrame frame)
    {
        int index = list.Head;
        if (index == 0)
        {
            frame = default;
            return false;
        }

        frame = _records[index - 1].Frame;
        list.Head = _records[index - 1].Next;
        Recycle(index);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Release(int head)
    {
        while (head != 0)
        {
            int next = _records[head - 1].Next;
            Recycle(head);
            head = next;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Take()
    {
        Count++;
        if (_free != 0)
        {
            int index = _free;
            _free = _records[index - 1].Next;
            return index;
        }

        if (_used == _records.Length)
        {
            Array.Resize(ref _records, _records.Length * 2);
        }

        return ++_used;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Recycle(int index)
    {
        Count--;
        _records[index - 1].Next = _free;
        _free = index;
    }
}
