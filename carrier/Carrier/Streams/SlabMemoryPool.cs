using System.Buffers;

namespace Carrier.Streams;

/// <summary>Memory of the streams' pipes: pinned slabs the collector never moves, handed out newest first while they are warm in the cache. Any thread.</summary>
internal sealed class SlabMemoryPool : MemoryPool<byte>
{
    /// <summary>Large enough that a full batch of the network thread crosses few of them.</summary>
    public const int SlabBytes = 65_536;

    /// <summary>Returned slabs kept while traffic comes in waves, 32 MB: a dozen busy streams; the rest go to the collector.</summary>
    private const int MaxRetained = 512;

    private readonly Lock _lock = new();
    private readonly Stack<Slab> _retained = new();
    private int _fewestRetained;
    private int _outstanding;

    public override int MaxBufferSize => SlabBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, SlabBytes);
        lock (_lock)
        {
            _outstanding++;
            if (_retained.TryPop(out Slab? slab))
            {
                _fewestRetained = Math.Min(_fewestRetained, _retained.Count);
                return slab;
            }
        }

        return new Slab(this);
    }

    /// <summary>Leaves to the collector the retained slabs that nobody needed since the last call, but for a quarter as many as were out at once.</summary>
    public void Trim()
    {
        lock (_lock)
        {
            int needed = _outstanding + _retained.Count - _fewestRetained;
            for (int idle = _fewestRetained - (needed / 4); idle > 0; idle--)
            {
                _ = _retained.Pop();
            }

            _fewestRetained = _retained.Count;
        }
    }

    protected override void Dispose(bool disposing)
    {
    }

    private void Return(Slab slab)
    {
        lock (_lock)
        {
            _outstanding--;
            if (_retained.Count < MaxRetained)
            {
                _retained.Push(slab);
            }
        }
    }

    private sealed class Slab(SlabMemoryPool pool) : IMemoryOwner<byte>
    {
        public Memory<byte> Memory { get; } = GC.AllocateUninitializedArray<byte>(SlabBytes, pinned: true);

        // Given back, not given up: the pipe disposes its segment's owner once for each time it rented it.
        public void Dispose() => pool.Return(this);
    }
}
