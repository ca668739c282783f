namespace Carrier.Node.Dialing;

/// <summary>A set of at most <paramref name="capacity"/> items; the one added first gives way.</summary>
internal sealed class RecentSet<T>(int capacity)
{
    private readonly HashSet<T> _items = [];
    private readonly Queue<T> _byAge = new();

    public bool Contains(T item) => _items.Contains(item);

    public void Add(T item)
    {
        if (!_items.Add(item))
        {
            return;
        }

        _byAge.Enqueue(item);
        if (_items.Count > capacity)
        {
            _ = _items.Remove(_byAge.Dequeue());
        }
    }
}
