using Carrier.Chain.Channels;

namespace Carrier.Simulation.Channels;

/// <summary>A store that keeps what was flushed, remembers its own past, and can be set back to it.</summary>
internal sealed class SimulatedDisk
{
    private readonly List<ChannelRecord> _past = [];

    /// <summary>What a restart finds; null after a loss, or before the first write.</summary>
    public ChannelRecord? Current { get; private set; }

    /// <summary>The copy made elsewhere when the channel was funded. It outlives the disk.</summary>
    public ChannelRecord? Backup { get; private set; }

    public void Write(ChannelRecord record)
    {
        Current = record;
        _past.Add(record);
        if (Backup is null && record is { Role: ChannelRole.Payer, Gate.IsNone: false })
        {
            Backup = record;
        }
    }

    public void Lose() => Current = null;

    /// <summary>Puts an older copy in place, as a restored backup of the whole machine does.</summary>
    public void RollBack(SeededRandom random)
    {
        if (_past.Count > 0 && Current is not null)
        {
            Current = _past[random.NextInt32(_past.Count)];
        }
    }
}
