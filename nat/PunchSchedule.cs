using Carrier.Core;

namespace Carrier.Nat;

/// <summary>When to send the probes of one punching round: at 0, 30, 60, 120, … ms, each sent to every candidate.</summary>
/// <remarks>
/// Both sides start when the handshake passes through the relay, hence half a round trip apart; the early probes are dense so that some
/// cross, the later ones thin so that a lost round costs little. The session ends a round early by dropping the schedule once a path
/// is validated. Ports that have to be reckoned are <see cref="PunchPlan"/>'s.
/// </remarks>
public struct PunchSchedule
{
    /// <summary>Probes to one candidate in a round: the last leaves 1.92 s after the first.</summary>
    public const int MaxProbes = 8;

    private readonly Instant _start;
    private int _sent;

    public PunchSchedule(Instant start) => _start = start;

    public static TimeSpan FirstGap => TimeSpan.FromMilliseconds(30);

    /// <summary>When the next probes are due, or <see cref="Instant.Never"/> once all were taken.</summary>
    public readonly Instant NextProbe => _sent switch
    {
        0 => _start,
        < MaxProbes => _start + (FirstGap * (1 << (_sent - 1))),
        _ => Instant.Never,
    };

    /// <summary>Takes one probe time if it has come; several that were slept through count as one.</summary>
    public bool TryTake(Instant now)
    {
        if (now < NextProbe)
        {
            return false;
        }

        do
        {
            _sent++; // those slept through are passed over: sending them in one burst would help nobody
        }
        while (now >= NextProbe);

        return true;
    }
}
