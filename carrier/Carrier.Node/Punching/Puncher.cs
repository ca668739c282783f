using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Addresses;
using Carrier.Node.Homes;
using Carrier.Node.Sessions;
using Carrier.Node.Transport;

namespace Carrier.Node.Punching;

/// <summary>Takes sessions off the relay where a NAT's ports have to be reckoned: carries out what <see cref="PunchPlan"/> says.</summary>
/// <remarks>
/// The end behind such a NAT opens mappings toward the peer from sockets of their own, and calls the peer, over the session, to probe the ports
/// they may have. What is sent are packets of the session: one that arrives makes both ends take up the way it came. Heavy attempts take
/// turns, none is dropped for another; meanwhile the relay carries the session.
/// </remarks>
internal sealed partial class Puncher(LocalAddresses addresses, HomeMachine? homes, SessionTable sessions, SocketLeases leases, Outbox outbox, RandomSource random, DropCounters drops)
{
    /// <summary>Sessions whose ends are being brought together; more stay on their relays.</summary>
    public const int MaxPunches = 4096;

    private readonly Dictionary<NodeSession, Punch> _punches = [];
    private readonly DeadlineHeap<Punch> _wakes = new();
    private readonly Queue<Punch> _waiting = new();
    private readonly SocketLeases _leases = leases;
    private readonly PortLocator _locator = new(homes, outbox, random);
    private readonly EndpointBuckets _perSourceUnit = new(AttemptsPerSourceUnit, random);
    private TokenBucket _mappings;
    private readonly EndpointBuckets _probesPerSourceUnit = new(ProbesPerSourceUnit, random);
    private Punch? _turn;
    private Instant _nextBirthday;
    private Instant _sweepAt = Instant.Never;

    /// <summary>Attempts toward one network, ours and those it has peers call us to: nobody's call makes us a nuisance for a third.</summary>
    public static TokenRate AttemptsPerSourceUnit => new(0.2, 32);

    /// <summary>Mappings of heavy attempts, all sessions together: what is held at once for the half minute that routers keep an unanswered one stays near two thousand.</summary>
    public static TokenRate MappingRate => new(32, 1024);

    /// <summary>How long an attempt that finds those spent waits before it looks again.</summary>
    public static TimeSpan MappingWait => TimeSpan.FromSeconds(1);

    /// <summary>Probes of ports in one network: twice what a peer behind the hardest NAT needs, then a trickle. The address is the caller's word.</summary>
    public static TokenRate ProbesPerSourceUnit => new(10, 4 * PunchPlan.MaxProbes);

    /// <summary>How long the session's own challenges, and probes of the ports that the handshake told, have before we call: mostly no more is needed.</summary>
    public static TimeSpan HeadStart => TimeSpan.FromMilliseconds(150);

    /// <summary>The same where both endpoints are known: every challenge may have been answered but for a loss.</summary>
    public static TimeSpan FreshHeadStart => TimeSpan.FromMilliseconds(500);

    /// <summary>How long a session has to prove worth a large part of two blocks.</summary>
    public static TimeSpan BirthdayHeadStart => TimeSpan.FromSeconds(2);

    /// <summary>How long after an attempt that took half of our block the next one may, whichever session it is for: until a router has forgotten its mappings (RFC 4787 REQ-5).</summary>
    public static TimeSpan BirthdayRest => TimeSpan.FromMinutes(2);

    /// <summary>Both ends have opened their mappings near by before either sends through: one begins a hop later than the other.</summary>
    public static TimeSpan BirthdayPause => TimeSpan.FromMilliseconds(500);

    /// <summary>How long mirrored mappings by what the handshake told have, before both ends ask where they are.</summary>
    public static TimeSpan ToldTime => TimeSpan.FromMilliseconds(300);

    /// <summary>How long sockets stay open for a peer that probes a wide range, or waits for its turn to.</summary>
    public static TimeSpan HeavyTime => TimeSpan.FromSeconds(5);

    /// <summary>The same for ports that are among the first probes.</summary>
    public static TimeSpan LightTime => TimeSpan.FromSeconds(1);

    /// <summary>How often an attempt under way looks whether it has succeeded.</summary>
    private static TimeSpan LookInterval => TimeSpan.FromMilliseconds(50);

    private static TimeSpan SweepInterval => TimeSpan.FromSeconds(5);

    /// <summary>Mirrored mappings are opened near by, so that nothing meets the peer's NAT before its own opening; then sent through, this often.</summary>
    private const int MirrorOpenings = 4;

    public Instant NextDeadline => Instant.Min(_wakes.Earliest, _sweepAt);

    /// <summary>A session stands. The initiator's first word in a mirrored attempt keeps the two ends from calling each other at once.</summary>
    public void Begin(Instant now, NodeSession session)
    {
        var plan = PunchPlan.For(addresses.Nat, session.RemoteNat);
        bool isIdle = plan.Role == PunchRole.Relay || (plan.Role == PunchRole.Simultaneous && (plan.Sockets == 0 || !session.IsInitiator));
        if (isIdle || session.RemoteIPv4.IsNone || !session.TellsNat || session.Machine.HasDirectPath || _punches.Count >= MaxPunches)
        {
            return;
        }

        Punch punch = new(session, plan);
        if (!_punches.TryAdd(session, punch))
        {
            return;
        }

        _sweepAt = Instant.Min(_sweepAt, now + SweepInterval);
        TimeSpan? wait = plan.Role switch
        {
            PunchRole.Call => HeadStart,
            PunchRole.Simultaneous => FreshHeadStart,
            PunchRole.Birthday when session.IsInitiator => BirthdayHeadStart,
            // What the handshake told of a sequence is new enough to be tried at once: its next ports are those toward us.
            PunchRole.Probe or PunchRole.Mirror when session.RemoteNat.IsSequential => TimeSpan.Zero,
            _ => null,
        };
        if (wait is { } time)
        {
            punch.Called = session.RemoteNat.IsSequential ? new PunchCall(0, session.RemoteIPv4, session.RemoteNat) : null;
            punch.Stage = PunchStage.Due;
            Wake(punch, now + time);
        }
    }

    /// <summary>Our NAT was found to be another than thought: what was planned by that is planned anew.</summary>
    public void BeginAgain(Instant now)
    {
        foreach (NodeSession session in sessions.All)
        {
            if (session.Machine.Path.IsRelayed && !_punches.ContainsKey(session))
            {
                Begin(now, session);
            }
        }
    }

    /// <summary>The peer called.</summary>
    public void OnCalled(Instant now, NodeSession session)
    {
        if (!PunchCall.TryRead(session.Machine.PeerPunchCall, out PunchCall call))
        {
            drops.Count(DropReason.Malformed);
            return;
        }

        if (!call.Nat.DependsOnPeer)
        {
            MeetFresh(now, session, call);
            return;
        }

        if (!_punches.TryGetValue(session, out Punch? punch))
        {
            // It knows of its NAT what it did not when we met: our plan follows its word.
            session.RemoteNat = call.Nat;
            Begin(now, session);
            if (!_punches.TryGetValue(session, out punch))
            {
                return;
            }
        }

        bool answersOurs = call.Round == punch.Round && punch.Round > 0;
        punch.Called = call;
        switch (punch.Plan.Role)
        {
            case PunchRole.Probe when punch.Stage == PunchStage.Resting || (punch.Stage == PunchStage.Probing && call.Nat.IsSequential):
            case PunchRole.Mirror or PunchRole.Birthday when !session.IsInitiator && !answersOurs:
                _leases.Release(punch.Sockets);
                punch.Stage = PunchStage.Due;
                Wake(punch, now);
                break;
            case PunchRole.Mirror when punch.Stage == PunchStage.Open && punch.Sockets.Count == 0 && answersOurs:
                OpenMirror(now, punch, isOpening: true);
                break;
            case PunchRole.Birthday when punch.Stage == PunchStage.Open && answersOurs:
                ProbeRange(now, punch);
                break;
            default:
                break;
        }
    }

    /// <summary>Takes a STUN message that came to one of our sockets; true when it tells which port we have there.</summary>
    public bool TryHandleStun(Instant now, ushort socket, Endpoint remote, ReadOnlySpan<byte> datagram)
    {
        if (!_locator.TryTake(socket, remote, datagram, out Endpoint observed, out Punch? punch))
        {
            return false;
        }

        if (addresses.Nat.DependsOnPeer)
        {
            addresses.Observe(now, remote, observed); // else it is no port of the node's own socket
        }

        if (punch is { Stage: PunchStage.Locating })
        {
            punch.Located = observed;
            if (!_locator.IsAsking(punch))
            {
                Open(now, punch);
            }
        }

        return true;
    }

    public void HandleTimeout(Instant now)
    {
        while (_wakes.TryPopDue(now, out Punch punch))
        {
            Work(now, punch);
        }

        if (_sweepAt <= now)
        {
            Sweep(now);
        }
    }

    public bool TryEffect(out NodeEffect effect)
    {
        bool any = _leases.TryTakeClosed(out ushort socket);
        effect = any ? new NodeEffect(NodeEffectKind.CloseSocket) { Socket = socket } : default;
        return any;
    }

    private void Sweep(Instant now)
    {
        foreach (Punch over in _punches.Values.Where(punch => punch.Session.IsRemoved || punch.Session.Machine.HasDirectPath).ToArray())
        {
            End(now, over);
        }

        _leases.Sweep(socket => _punches.Values.Any(punch => punch.Sockets.Contains(socket)));
        _sweepAt = _leases.Count > 0 || _punches.Count > 0 ? now + SweepInterval : Instant.Never;
    }

    private void Work(Instant now, Punch punch)
    {
        if (punch.Session.IsRemoved || punch.Session.Machine.HasDirectPath)
        {
            End(now, punch);
            return;
        }

        switch (punch.Stage)
        {
            case PunchStage.Due:
                TakeTurn(now, punch);
                break;
            case PunchStage.Locating:
                Open(now, punch); // no answer came: with what is known
                break;
            case PunchStage.Probing:
                SendProbes(now, punch);
                break;
            case PunchStage.Open when now >= punch.EndsAt:
                Rest(now, punch);
                break;
            case PunchStage.Open:
                if (punch.Plan.Role == PunchRole.Mirror && punch.Openings < MirrorOpenings)
                {
                    SendFromSockets(now, punch, isOpening: false);
                }

                Wake(punch, now + (LookInterval * (punch.Plan.Role == PunchRole.Mirror ? Math.Max(1, punch.Openings) : 1)));
                break;
            default:
                break;
        }
    }

    private void Wake(Punch punch, Instant at) => _wakes.Set(punch, at);
}
