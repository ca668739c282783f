namespace Carrier.Core.Session.Buffers;

/// <summary>
/// The slabs of one node: <see cref="SlabBytes"/> of pinned memory each, which the collector never moves. A renter owns its slab
/// until it returns it. <paramref name="maxSlabs"/> bounds what all peers together can make the node commit. Single-threaded.
/// </summary>
/// <param name="maxSlabs">Slabs that may be out at once; beyond it <see cref="TryRent"/> says no.</param>
/// <param name="maxRetained">Returned slabs kept for reuse until <see cref="Trim"/> finds them idle; the rest go to the collector at once.</param>
public sealed class SlabPool(int maxSlabs, int maxRetained)
{
    public const int SlabBytes = 65_536;

    private readonly Stack<byte[]> _retained = new();
    private int _fewestRetained;
#if DEBUG
    private readonly HashSet<byte[]> _out = new(ReferenceEqualityComparer.Instance);
#endif

    /// <summary>Slabs rented and not yet returned: zero when every buffer is disposed.</summary>
    public int Outstanding { get; private set; }

    /// <summary>Bytes of the slabs that are out: what all streams hold, each rounded up to whole slabs.</summary>
    public long OutstandingBytes => (long)Outstanding * SlabBytes;

    public int Retained => _retained.Count;

    /// <summary>Whether <see cref="TryRent"/> would say yes.</summary>
    public bool HasRoom => Outstanding < maxSlabs;

    /// <summary>A slab of unspecified content, or false when the node has committed all it may.</summary>
    public bool TryRent(out byte[] slab)
    {
        if (Outstanding >= maxSlabs)
        {
            slab = [];
            return false;
        }

        if (!_retained.TryPop(out slab!))
        {
            slab = GC.AllocateUninitializedArray<byte>(SlabBytes, pinned: true);
        }

        _fewestRetained = Math.Min(_fewestRetained, _retained.Count);
        Outstanding++;
#if DEBUG
        _out.Add(slab);
#endif
        return true;
    }

    public void Return(byte[] slab)
    {
        ArgumentNullException.ThrowIfNull(slab);
#if DEBUG
        System.Diagnostics.Debug.Assert(_out.Remove(slab), "A slab is returned once, to the pool it came from.");
#endif
        Outstanding--;
        if (_retained.Count < maxRetained)
        {
            _retained.Push(slab);
        }
    }

    /// <summary>
    /// Leaves to the collector the retained slabs that nobody needed since the last call, but for a quarter as many as were out at once: traffic in waves keeps
    /// its slabs and steady traffic allocates none for its ups and downs; a past peak does not, and rest keeps nothing.
    /// </summary>
    public void Trim()
    {
        int needed = Outstanding + _retained.Count - _fewestRetained;
        for (int idle = _fewestRetained - (needed / 4); idle > 0; idle--)
        {
            _ = _retained.Pop();
        }

        _fewestRetained = _retained.Count;
    }
}
