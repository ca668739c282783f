using Carrier.Core;

namespace Carrier.Nat;

/// <summary>What two NATs allow, and so what to try.</summary>
public enum PunchStrategy
{
    /// <summary>Both send to the other's known endpoint at once (Ford, Srisuresh, Kegel 2005 §3.2).</summary>
    Simultaneous,

    /// <summary>One side's port depends on the peer: it must be predicted, or met by many sockets.</summary>
    PredictOnePort,

    /// <summary>Neither port can be told beforehand: the relay stays, unless another candidate answers.</summary>
    RelayOnly,
}

/// <summary>When to send the probes of one punching round: at 0, 30, 60, 120, … ms, each sent to every candidate.</summary>
/// <remarks>
/// Both sides start when the handshake passes through the relay, hence half a round trip apart; the early probes are dense so that some
/// cross, the later ones thin so that a lost round costs little. The session ends a round early by dropping the schedule once a path
/// is validated. Every strategy probes the known candidates; the others will add ports of their own to it.
/// </remarks>
public struct PunchSchedule
{
    /// <summary>Probes to one candidate in a round: the last leaves 1.92 s after the first.</summary>
    public const int MaxProbes = 8;

    private readonly Instant _start;
    private int _sent;

    public PunchSchedule(Instant start, NatMapping local, NatMapping remote)
    {
        _start = start;
        Strategy = StrategyFor(local, remote);
    }

    public static TimeSpan FirstGap => TimeSpan.FromMilliseconds(30);

    public PunchStrategy Strategy { get; }

    /// <summary>When the next probes are due, or <see cref="Instant.Never"/> once all were taken.</summary>
    public readonly Instant NextProbe => _sent switch
    {
        0 => _start,
        < MaxProbes => _start + (FirstGap * (1 << (_sent - 1))),
        _ => Instant.Never,
    };

    public static PunchStrategy StrategyFor(NatMapping local, NatMapping remote) => (DependsOnPeer(local), DependsOnPeer(remote)) switch
    {
        (false, false) => PunchStrategy.Simultaneous,
        (true, true) => PunchStrategy.RelayOnly,
        _ => PunchStrategy.PredictOnePort,
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

    private static bool DependsOnPeer(NatMapping mapping) => mapping is NatMapping.AddressDependent or NatMapping.AddressAndPortDependent;
}
