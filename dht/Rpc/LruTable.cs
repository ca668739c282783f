using System.Diagnostics.CodeAnalysis;

namespace Carrier.Dht.Rpc;

/// <summary>A dictionary of at most <c>capacity</c> entries in which the least recently used one gives way. What is kept about strangers lives in one.</summary>
internal sealed class LruTable<TKey, TValue>(int capacity)
    where TKey : notnull
{
    private const int None = -1;

    private readonly Dictionary<TKey, int> _index = [];
    private readonly List<Slot> _slots = [];
    private int _newest = None;
    private int _oldest = None;

    public int Count => _index.Count;

    /// <summary>Finds an entry and makes it the most recently used. The reference holds until the next call.</summary>
    [SuppressMessage("Design", "CA1045", Justification = "A reference into the table saves a second look-up a packet.")]
    public ref TValue GetOrAdd(TKey key, out bool existed)
    {
        existed = _index.TryGetValue(key, out int at);
        if (existed)
        {
            Unlink(at);
        }
        else
        {
            at = TakeSlot(key);
        }

        LinkNewest(at);
        return ref Span[at].Value;
    }

    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        bool found = _index.TryGetValue(key, out int at);
        value = found ? Span[at].Value : default;
        return found;
    }

    private Span<Slot> Span => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_slots);

    private int TakeSlot(TKey key)
    {
        int at = _slots.Count;
        if (at < capacity)
        {
            _slots.Add(new Slot { Key = key });
        }
        else
        {
            at = _oldest;
            Unlink(at);
            _ = _index.Remove(_slots[at].Key);
            Span[at] = new Slot { Key = key };
        }

        _index.Add(key, at);
        return at;
    }

    private void Unlink(int at)
    {
        Slot slot = _slots[at];
        if (slot.Newer == None)
        {
            _newest = slot.Older;
        }
        else
        {
            Span[slot.Newer].Older = slot.Older;
        }

        if (slot.Older == None)
        {
            _oldest = slot.Newer;
        }
        else
        {
            Span[slot.Older].Newer = slot.Newer;
        }
    }

    private void LinkNewest(int at)
    {
        Span[at].Newer = None;
        Span[at].Older = _newest;
        if (_newest != None)
        {
            Span[_newest].Newer = at;
        }

        _newest = at;
        _oldest = _oldest == None ? at : _oldest;
    }

    private struct Slot
    {
        public TKey Key;
        public TValue Value;
        public int Newer;
        public int Older;
    }
}
