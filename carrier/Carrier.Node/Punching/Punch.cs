using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Sessions;

namespace Carrier.Node.Punching;

/// <summary>Where the meeting of one session's ends stands.</summary>
internal enum PunchStage
{
    /// <summary>Nothing is to be done before the peer calls, or never again.</summary>
    Resting,

    /// <summary>The next attempt begins at the deadline.</summary>
    Due,

    /// <summary>Another heavy attempt of this device runs.</summary>
    Queued,

    /// <summary>A home was asked which port our next mapping will follow.</summary>
    Locating,

    /// <summary>Our sockets are open, or we wait for a mirroring peer's call.</summary>
    Open,

    /// <summary>We probe the ports that the peer called us to, or may have toward us.</summary>
    Probing,
}

/// <summary>The attempts of one session to need no relay.</summary>
internal sealed class Punch(NodeSession session, PunchPlan plan) : Deadlined
{
    public NodeSession Session { get; } = session;

    public PunchPlan Plan { get; set; } = plan;

    public PunchStage Stage { get; set; }

    /// <summary>Attempts begun.</summary>
    public byte Round { get; set; }

    /// <summary>Sockets opened in the attempt under way.</summary>
    public List<ushort> Sockets { get; } = [];

    /// <summary>Mappings made in all attempts.</summary>
    public int Mappings { get; set; }

    /// <summary>Where our mappings aim.</summary>
    public Endpoint Target { get; set; }

    /// <summary>The peer's latest call; before the first what its handshake told is as good as one, where its NAT hands out ports in order.</summary>
    public PunchCall? Called { get; set; }

    /// <summary>Where a home saw our newest socket.</summary>
    public Endpoint Located { get; set; }

    /// <summary>Mutable: taking a probe advances it.</summary>
    public PortProbes Probes;

    /// <summary>Openings sent from each socket, or to each port where those are probed from both ends.</summary>
    public int Openings { get; set; }

    public Instant EndsAt { get; set; }
}
