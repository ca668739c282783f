using Carrier.Chain.Primitives;

namespace Carrier.Chain.Headers;

/// <summary>Headers beside the best chain, by hash; when full the oldest one leaves.</summary>
internal sealed class BranchHeaders(int capacity)
{
    private readonly Dictionary<Hash256, HeaderEntry> _entries = [];
    private readonly Queue<Hash256> _order = [];

    public int Count => _entries.Count;

    public bool TryFind(Hash256 hash, out HeaderEntry entry) => _entries.TryGetValue(hash, out entry);

    public void Add(in HeaderEntry entry)
    {
        if (!_entries.TryAdd(entry.Hash, entry))
        {
            return;
        }

        _order.Enqueue(entry.Hash);
        while (_order.Count > capacity)
        {
            _ = _entries.Remove(_order.Dequeue());
        }
    }

    public void Remove(Hash256 hash)
    {
        // Its place in the order stays behind and is spent when it comes up; it must not evict the hash if that has returned since.
        if (_entries.Remove(hash))
        {
            Rebuild();
        }
    }

    private void Rebuild()
    {
        Hash256[] kept = [.. _order.Where(_entries.ContainsKey)];
        _order.Clear();
        foreach (Hash256 hash in kept)
        {
            _order.Enqueue(hash);
        }
    }
}
