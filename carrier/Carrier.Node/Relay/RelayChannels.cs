using Carrier.Core;

namespace Carrier.Node.Relay;

/// <summary>Two sides that a relay joins; each knows the channel by an id the other never sees.</summary>
internal struct RelayChannel
{
    public ulong DiallerId;
    public ulong TargetId;
    public Endpoint Dialler;
    public RelayClient? Target;
    public Instant LastUsed;
    public TokenBucket Budget;
    public TokenBucket FairShare;

    public readonly bool IsOpen => Target is not null;
}

/// <summary>The channel table: an array that grows as needed, free slots reused, both ids pointing into it.</summary>
internal sealed class RelayChannels(RandomSource random)
{
    private const int FirstCapacity = 64;

    private readonly Dictionary<ulong, Side> _byId = [];
    private readonly Stack<int> _free = new();
    private RelayChannel[] _slots = new RelayChannel[FirstCapacity];
    private int _used;

    public int Count => _used - _free.Count;

    /// <summary>Slots to look through when sweeping; some may be closed.</summary>
    public int Slots => _used;

    public ref RelayChannel this[int index] => ref _slots[index];

    public bool TryFind(ulong id, out int index, out bool fromDialler)
    {
        bool found = _byId.TryGetValue(id, out Side side);
        (index, fromDialler) = (side.Index, side.IsDialler);
        return found;
    }

    public int Add(Endpoint dialler, RelayClient target, Instant now)
    {
        if (!_free.TryPop(out int index))
        {
            if (_used == _slots.Length)
            {
                Array.Resize(ref _slots, _slots.Length * 2);
            }

            index = _used++;
        }

        ulong diallerId = NewId(new(index, IsDialler: true));
        ulong targetId = NewId(new(index, IsDialler: false));
        _slots[index] = new() { DiallerId = diallerId, TargetId = targetId, Dialler = dialler, Target = target, LastUsed = now };
        (target.Channels ??= []).Add(index);
        return index;
    }

    public void Remove(int index)
    {
        ref RelayChannel channel = ref _slots[index];
        _ = _byId.Remove(channel.DiallerId);
        _ = _byId.Remove(channel.TargetId);
        _ = channel.Target?.Channels?.Remove(index);
        channel = default;
        _free.Push(index);
    }

    // Random and opaque: a channel cannot be guessed, and zero means "no channel" in a NetworkPath.
    private ulong NewId(Side side)
    {
        ulong id;
        do
        {
            id = random.NextUInt64();
        }
        while (id == 0 || !_byId.TryAdd(id, side));

        return id;
    }

    private readonly record struct Side(int Index, bool IsDialler);
}
