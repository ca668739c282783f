using Carrier.Core;

namespace Carrier.Node.Sessions;

/// <summary>Something with a deadline, and its place in the one heap that holds it.</summary>
public abstract class Deadlined
{
    internal const int NotInHeap = -1;

    public Instant Deadline { get; internal set; } = Instant.Never;

    internal int HeapIndex { get; set; } = NotInHeap;
}

/// <summary>A binary heap whose items know their index, so that a deadline moves in O(log n) and ten thousand idle sessions cost one comparison a turn.</summary>
internal sealed class DeadlineHeap<T>
    where T : Deadlined
{
    private T[] _items = new T[16];

    public int Count { get; private set; }

    public Instant Earliest => Count == 0 ? Instant.Never : _items[0].Deadline;

    /// <summary>Inserts, moves or (for <see cref="Instant.Never"/>) removes the item.</summary>
    public void Set(T item, Instant deadline)
    {
        if (deadline == Instant.Never)
        {
            Remove(item);
            return;
        }

        item.Deadline = deadline;
        if (item.HeapIndex == Deadlined.NotInHeap)
        {
            if (Count == _items.Length)
            {
                Array.Resize(ref _items, Count * 2);
            }

            item.HeapIndex = Count;
            _items[Count++] = item;
        }

        SiftDown(SiftUp(item.HeapIndex));
    }

    public void Remove(T item)
    {
        item.Deadline = Instant.Never;
        int index = item.HeapIndex;
        if (index == Deadlined.NotInHeap)
        {
            return;
        }

        item.HeapIndex = Deadlined.NotInHeap;
        T last = _items[--Count];
        _items[Count] = null!;
        if (!ReferenceEquals(last, item))
        {
            _items[index] = last;
            last.HeapIndex = index;
            SiftDown(SiftUp(index));
        }
    }

    /// <summary>Takes the earliest item if its deadline has come.</summary>
    public bool TryPopDue(Instant now, out T item)
    {
        item = Count > 0 ? _items[0] : null!;
        if (Count == 0 || item.Deadline > now)
        {
            return false;
        }

        Remove(item);
        return true;
    }

    private int SiftUp(int index)
    {
        while (index > 0 && _items[index].Deadline < _items[(index - 1) / 2].Deadline)
        {
            Swap(index, (index - 1) / 2);
            index = (index - 1) / 2;
        }

        return index;
    }

    private void SiftDown(int index)
    {
        while (true)
        {
            int child = (2 * index) + 1;
            if (child >= Count)
            {
                return;
            }

            if (child + 1 < Count && _items[child + 1].Deadline < _items[child].Deadline)
            {
                child++;
            }

            if (_items[index].Deadline <= _items[child].Deadline)
            {
                return;
            }

            Swap(index, child);
            index = child;
        }
    }

    private void Swap(int a, int b)
    {
        (_items[a], _items[b]) = (_items[b], _items[a]);
        _items[a].HeapIndex = a;
        _items[b].HeapIndex = b;
    }
}
