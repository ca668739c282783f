using Carrier.Core;

namespace Carrier.Node.Sessions;

/// <summary>Something with a deadline, and its place in the one heap that holds it.</summary>
public abstract class Deadlined
{
    internal const int NotInHeap = -1;

    public Instant Deadline { get; internal set; } = Instant.Never;

    internal int HeapIndex { get; set; } = NotInHeap;
}

/// <summary>A heap whose items know their index, so that a deadline moves in O(log n) and ten thousand idle sessions cost one comparison a turn.</summary>
/// <remarks>Four children a node, and the deadlines beside the items: a level is one line of the cache, and the items themselves are not read.</remarks>
internal sealed class DeadlineHeap<T>
    where T : Deadlined
{
    private const int Children = 4;

    private Entry[] _entries = new Entry[16];

    public int Count { get; private set; }

    public Instant Earliest => Count == 0 ? Instant.Never : _entries[0].Deadline;

    /// <summary>Inserts, moves or (for <see cref="Instant.Never"/>) removes the item.</summary>
    public void Set(T item, Instant deadline)
    {
        if (deadline == Instant.Never)
        {
            Remove(item);
            return;
        }

        int index = item.HeapIndex;
        if (index == Deadlined.NotInHeap)
        {
            if (Count == _entries.Length)
            {
                Array.Resize(ref _entries, Count * 2);
            }

            index = Count++;
        }
        else if (item.Deadline == deadline)
        {
            return;
        }

        item.Deadline = deadline;
        Settle(index, new Entry(deadline, item));
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
        Entry last = _entries[--Count];
        _entries[Count] = default;
        if (index < Count)
        {
            Settle(index, last);
        }
    }

    /// <summary>Takes the earliest item if its deadline has come.</summary>
    public bool TryPopDue(Instant now, out T item)
    {
        if (Count == 0 || _entries[0].Deadline > now)
        {
            item = null!;
            return false;
        }

        item = _entries[0].Item;
        Remove(item);
        return true;
    }

    /// <summary>Puts an entry where it belongs, beginning at the place that is free for it.</summary>
    private void Settle(int index, Entry entry)
    {
        for (int parent = (index - 1) / Children; index > 0 && entry.Deadline < _entries[parent].Deadline; parent = (index - 1) / Children)
        {
            Place(index, _entries[parent]);
            index = parent;
        }

        while (TryFindEarliestChild(index, out int child) && _entries[child].Deadline < entry.Deadline)
        {
            Place(index, _entries[child]);
            index = child;
        }

        Place(index, entry);
    }

    private bool TryFindEarliestChild(int index, out int earliest)
    {
        earliest = (Children * index) + 1;
        int end = Math.Min(earliest + Children, Count);
        for (int child = earliest + 1; child < end; child++)
        {
            earliest = _entries[child].Deadline < _entries[earliest].Deadline ? child : earliest;
        }

        return earliest < Count;
    }

    private void Place(int index, in Entry entry)
    {
        _entries[index] = entry;
        entry.Item.HeapIndex = index;
    }

    private readonly record struct Entry(Instant Deadline, T Item);
}
