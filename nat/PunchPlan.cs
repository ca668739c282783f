namespace Carrier.Nat;

/// <summary>Our part in meeting a peer: what our NAT and the peer's allow.</summary>
public enum PunchRole
{
    /// <summary>Both endpoints are known, or one of them and the other's address suffices: the session's own challenges to them are all there is to do (Ford, Srisuresh,
    /// Kegel 2005 §3.2), unless an attempt has sockets: then the initiator tries those where the challenges stay unanswered.</summary>
    Simultaneous,

    /// <summary>Our port toward the peer is not known beforehand: we open mappings toward it, and call it to try the ports they may have.</summary>
    Call,

    /// <summary>The peer's port toward us is not known beforehand: we wait for its call and then probe the ports it names.</summary>
    Probe,

    /// <summary>Neither port is known, both can be reckoned: both open mappings toward a port the other will have soon.</summary>
    Mirror,

    /// <summary>Neither port can be reckoned: the relay stays, unless another candidate answers.</summary>
    Relay,
}

/// <summary>How to meet one peer, by what both know of their NATs. The table is in <c>docs/nat.md</c>; both ends read it and agree without a word.</summary>
/// <param name="Role">What we do.</param>
/// <param name="Sockets">Sockets we open toward the peer in one attempt, a mapping each.</param>
/// <param name="Probes">Ports of the peer's we probe at most in one attempt.</param>
/// <param name="Attempts">How often it is tried.</param>
/// <param name="IsHeavy">One such attempt runs at a time in a device; others wait.</param>
public readonly record struct PunchPlan(PunchRole Role, int Sockets = 0, int Probes = 0, int Attempts = 0, bool IsHeavy = false)
{
    /// <summary>Mappings a session opens beyond its own, in all its attempts together: a fraction of what a carrier allots a subscriber.</summary>
    public const int MaxSockets = 256;

    /// <summary>With 256 mappings among 64,512 ports one of these hits with 0.9997.</summary>
    public const int MaxProbes = 2048;

    /// <summary>Sockets toward a peer that reckons our next port: more than one, since other hosts take ports too.</summary>
    private const int SequentialSockets = 4;

    /// <summary>A cone is met by its one endpoint. Where a stray packet spoilt that in a NAT, a socket that nobody has sent to yet has another.</summary>
    private const int FreshSockets = 1;

    private const int FreshAttempts = 2;

    private const int SequentialProbes = 256;
    private const int SequentialAttempts = 4;

    /// <summary>Sockets in a small range: an eighth of the smallest block carriers give (RFC 7422), and enough since it is probed whole.</summary>
    private const int BlockSockets = 32;

    private const int BlockAttempts = 2;
    private const int WideAttempts = 2;

    /// <summary>Sockets when both ports are reckoned: <see cref="MirrorLead"/> either side of the one aimed at.</summary>
    private const int MirrorSockets = 64;

    private const int MirrorAttempts = 3;

    /// <summary>How many mappings ahead of the peer's last one the port aimed at is.</summary>
    public const int MirrorLead = 32;

    public static PunchPlan For(in NatDescription local, in NatDescription remote) => (local.DependsOnPeer, remote.DependsOnPeer) switch
    {
        (false, false) => new(PunchRole.Simultaneous, FreshSockets, 0, FreshAttempts),
        (true, false) when !remote.LetsInAddress => Calling(local),
        (false, true) when !local.LetsInAddress => new(PunchRole.Probe, Probes: Calling(remote).Probes),
        (true, false) or (false, true) => new(PunchRole.Simultaneous),
        _ when local.IsSequential && remote.IsSequential => new(PunchRole.Mirror, MirrorSockets, 0, MirrorAttempts, IsHeavy: true),
        _ => new(PunchRole.Relay),
    };

    /// <summary>The port of the peer's that our mirrored mappings aim at.</summary>
    public static ushort MirrorTarget(in NatDescription remote) => (ushort)(remote.LastPort + (MirrorLead * remote.Step));

    private static PunchPlan Calling(in NatDescription caller) =>
        caller.IsSequential ? new(PunchRole.Call, SequentialSockets, SequentialProbes, SequentialAttempts)
        : caller.RangePorts is > 0 and < NatDescription.SmallRangePorts ? new(PunchRole.Call, BlockSockets, caller.RangePorts, BlockAttempts, IsHeavy: true)
        : new(PunchRole.Call, MaxSockets, MaxProbes, WideAttempts, IsHeavy: true);
}
