namespace Carrier.Chain.Channels;

/// <summary>The effects of a channel machine, each held back until the record it follows from is on disk. Changes made while a write is under way share the next one.</summary>
/// <remarks>Single-threaded, as the machine that owns it. What leaves passes <see cref="ChannelAudit"/>.</remarks>
internal sealed class DurableOutbox(ChannelRecord? durable)
{
    private readonly Queue<ChannelEffect> _ready = new();
    private readonly ChannelEffect?[] _latest = new ChannelEffect?[Enum.GetValues<LatestOnly>().Length];
    private List<ChannelEffect> _waiting = [];
    private List<ChannelEffect> _covered = [];
    private ChannelRecord? _durable = durable;
    private ChannelRecord? _writing;
    private ulong _ticket;
    private bool _isDirty;

    /// <summary>What is on disk.</summary>
    public ChannelRecord? Durable => _durable;

    /// <summary>The record changed: what is added from now on waits for it.</summary>
    public void MarkChanged() => _isDirty = true;

    public void Add(ChannelEffect effect)
    {
        if (_isDirty)
        {
            _waiting.Add(effect);
        }
        else if (_writing is not null)
        {
            _covered.Add(effect);
        }
        else
        {
            _ready.Enqueue(effect);
        }
    }

    /// <summary>Adds an effect of which only the newest matters, in place of one of its kind that still waits for the same write.</summary>
    public void AddLatest(LatestOnly kind, ChannelEffect effect)
    {
        if (_isDirty)
        {
            _latest[(int)kind] = effect;
        }
        else
        {
            Add(effect);
        }
    }

    public bool TryTake(ChannelRecord current, out ChannelEffect? effect)
    {
        if (_ready.TryDequeue(out effect))
        {
            ChannelAudit.Check(_durable, effect);
            return true;
        }

        if (!_isDirty || _writing is not null)
        {
            return false;
        }

        MoveLatest();
        (_covered, _waiting) = (_waiting, _covered);
        _isDirty = false;
        _writing = current;
        effect = new PersistEffect(current, ++_ticket);
        ChannelAudit.Check(_durable, effect);
        return true;
    }

    /// <summary>The write with this ticket is on disk.</summary>
    public void Persisted(ulong ticket)
    {
        if (_writing is null || ticket != _ticket)
        {
            return;
        }

        _durable = _writing;
        _writing = null;
        foreach (ChannelEffect effect in _covered)
        {
            _ready.Enqueue(effect);
        }

        _covered.Clear();
    }

    private void MoveLatest()
    {
        for (int kind = 0; kind < _latest.Length; kind++)
        {
            if (_latest[kind] is { } effect)
            {
                _waiting.Add(effect);
                _latest[kind] = null;
            }
        }
    }
}

/// <summary>Effects of which a later one makes an earlier one pointless.</summary>
internal enum LatestOnly
{
    Ack,
    Escrow,
}
