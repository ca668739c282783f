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

    /// <summary>Neither port can be reckoned, but those of one end are few, and the other's are few or in order: both probe the ports the other may have. Each probe is a mapping
    /// too, and two of them meet by the birthday paradox; mostly not at the first attempt.</summary>
    Birthday,

    /// <summary>Neither port can be reckoned: the relay stays, unless another candidate answers.</summary>
    Relay,
}

/// <summary>How to meet one peer, by what both know of their NATs. The table is in <c>docs/nat.md</c>; both ends read it and agree without a word.</summary>
/// <param name="Role">What we do.</param>
/// <param name="Sockets">Sockets we open toward the peer in one attempt, a mapping each.</param>
/// <param name="Probes">Ports of the peer's we probe at most in one attempt.</param>
/// <param name="Attempts">How often it is tried; by birthday as often as <see cref="MaxSockets"/> allow.</param>
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

    /// <summary>Mappings toward a home by which an end within a block sees more of it first: with those it has, enough to tell the block's size.</summary>
    private const int BlockSamples = 6;

    /// <summary>How many mappings ahead of the peer's last one the port aimed at is.</summary>
    public const int MirrorLead = 32;

    /// <summary>What one attempt takes of our NAT's mappings.</summary>
    public int Mappings => Role == PunchRole.Birthday ? Sockets + Probes : Sockets;

    public static PunchPlan For(in NatDescription local, in NatDescription remote) => (local.DependsOnPeer, remote.DependsOnPeer) switch
    {
        (false, false) => new(PunchRole.Simultaneous, FreshSockets, 0, FreshAttempts),
        (true, false) when !remote.LetsInAddress => Calling(local),
        (false, true) when !local.LetsInAddress => new(PunchRole.Probe, Probes: Calling(remote).Probes),
        (true, false) or (false, true) => new(PunchRole.Simultaneous),
        _ when local.IsSequential && remote.IsSequential => new(PunchRole.Mirror, MirrorSockets, 0, MirrorAttempts, IsHeavy: true),
        _ when local.IsBlock && (remote.IsBlock || remote.IsSequential) => Birthday(local, BlockSamples),
        _ when local.IsSequential && remote.IsBlock => Birthday(remote, samples: 1),
        _ => new(PunchRole.Relay),
    };

    /// <summary>The port of the peer's that our mirrored mappings aim at.</summary>
    public static ushort MirrorTarget(in NatDescription remote) => (ushort)(remote.LastPort + (MirrorLead * remote.Step));

    /// <summary>Half of the block at the most: the other half is for whoever else is behind that NAT, until the mappings of this attempt are gone and the next one begins.</summary>
    private static PunchPlan Birthday(in NatDescription block, int samples)
    {
        int mappings = Math.Clamp(block.RangePorts / 2, samples + 1, MaxSockets);
        return new(PunchRole.Birthday, samples, mappings - samples, IsHeavy: true);
    }

    private static PunchPlan Calling(in NatDescription caller) =>
        caller.IsSequential ? new(PunchRole.Call, SequentialSockets, SequentialProbes, SequentialAttempts)
        : caller.RangePorts is > 0 and < NatDescription.SmallRangePorts ? new(PunchRole.Call, BlockSockets, caller.RangePorts, BlockAttempts, IsHeavy: true)
        : new(PunchRole.Call, MaxSockets, MaxProbes, WideAttempts, IsHeavy: true);
}
