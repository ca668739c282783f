using Carrier.Chain.Channels;

namespace Carrier.Simulation.Channels;

/// <summary>One side's process: the shipped machine, its disk, and the way it is killed and comes back.</summary>
internal sealed class SimulatedSide<TMachine>
    where TMachine : ChannelSide
{
    private PersistEffect? _writing;
    private int _writeSteps;

    public SimulatedDisk Disk { get; } = new();

    /// <summary>Null while the process is down, or while it knows nothing of the channel.</summary>
    public TMachine? Machine { get; set; }

    /// <summary>Steps until it is back; 0 when it runs.</summary>
    public int DownFor { get; private set; }

    public bool IsUp => DownFor == 0;

    /// <summary>Does what the machine wants, in order. A write takes a step or more when the disk is slow.</summary>
    public void Run(ChannelSchedule schedule, Action<ChannelEffect> perform)
    {
        if (_writing is not null && _writeSteps-- <= 0)
        {
            Finish();
        }

        while (Machine is not null && Machine.TryEffect(out ChannelEffect? effect))
        {
            if (effect is PersistEffect persist)
            {
                _writing = persist;
                _writeSteps = schedule.SlowDisk ? schedule.Random.NextInt32(3) : 0;
                if (_writeSteps == 0)
                {
                    Finish();
                }
            }
            else
            {
                perform(effect);
            }
        }
    }

    /// <summary>kill -9. A write under way may have reached the disk or not; its answer did not reach the machine.</summary>
    public void Kill(ChannelSchedule schedule, int steps)
    {
        if (_writing is not null && schedule.Random.NextInt32(2) == 0)
        {
            Disk.Write(_writing.Record);
        }

        _writing = null;
        Machine?.Dispose();
        Machine = null;
        DownFor = steps;
    }

    /// <summary>Counts the time down; true in the step in which the process starts again.</summary>
    public bool Revives() => DownFor > 0 && --DownFor == 0;

    private void Finish()
    {
        Disk.Write(_writing!.Record);
        Machine?.Persisted(_writing.Ticket);
        _writing = null;
    }
}
