using Carrier.Core;
using Carrier.Core.Session;
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
internal sealed class Puncher(LocalAddresses addresses, HomeMachine? homes, SessionTable sessions, Outbox outbox, RandomSource random, DropCounters drops)
{
    /// <summary>Sessions whose ends are being brought together; more stay on their relays.</summary>
    public const int MaxPunches = 4096;

    private readonly Dictionary<NodeSession, Punch> _punches = [];
    private readonly DeadlineHeap<Punch> _wakes = new();
    private readonly Queue<Punch> _waiting = new();
    private readonly SocketLeases _leases = new();
    private readonly PortLocator _locator = new(homes, outbox, random);
    private readonly EndpointBuckets _perSourceUnit = new(AttemptsPerSourceUnit, random);
    private readonly EndpointBuckets _probesPerSourceUnit = new(ProbesPerSourceUnit, random);
    private Punch? _turn;
    private Instant _sweepAt = Instant.Never;

    /// <summary>Attempts toward one network, ours and those it has peers call us to: nobody's call makes us a nuisance for a third.</summary>
    public static TokenRate AttemptsPerSourceUnit => new(0.2, 32);

    /// <summary>Probes of ports in one network: twice what a peer behind the hardest NAT needs, then a trickle. The address is the caller's word.</summary>
    public static TokenRate ProbesPerSourceUnit => new(10, 4 * PunchPlan.MaxProbes);

    /// <summary>How long the session's own challenges have before a heavy attempt: those of open and public peers need no more.</summary>
    public static TimeSpan HeadStart => TimeSpan.FromMilliseconds(150);

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
        if (plan.Role is PunchRole.Simultaneous or PunchRole.Relay || session.RemoteIPv4.IsNone || !session.TellsNat || _punches.Count >= MaxPunches)
        {
            return;
        }

        _sweepAt = Instant.Min(_sweepAt, now + SweepInterval);
        Punch punch = new(session, plan);
        if (_punches.TryAdd(session, punch) && (plan.Role == PunchRole.Call || (plan.Role == PunchRole.Mirror && session.IsInitiator)))
        {
            punch.Stage = PunchStage.Due;
            Wake(punch, plan.Role == PunchRole.Call && plan.IsHeavy ? now + HeadStart : now);
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

        punch.Called = call;
        switch (punch.Plan.Role)
        {
            case PunchRole.Probe when punch.Stage == PunchStage.Resting:
                punch.Stage = PunchStage.Due;
                Wake(punch, now);
                break;
            case PunchRole.Mirror when punch.Stage == PunchStage.Open && punch.Sockets.Count == 0 && call.Round == punch.Round:
                OpenMirror(now, punch);
                break;
            case PunchRole.Mirror when !session.IsInitiator && punch.Stage == PunchStage.Resting:
                punch.Stage = PunchStage.Due;
                Wake(punch, now);
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

        addresses.Observe(now, remote, observed);
        if (punch is { Stage: PunchStage.Locating })
        {
            Open(now, punch);
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

    private void TakeTurn(Instant now, Punch punch)
    {
        // What was taken for a sequence may have turned out to be none.
        var plan = PunchPlan.For(addresses.Nat, punch.Session.RemoteNat);
        punch.Plan = plan.Role == PunchRole.Call && punch.Plan.Role == PunchRole.Call ? plan : punch.Plan;
        bool isHeavy = punch.Plan.IsHeavy || (punch.Plan.Role == PunchRole.Probe && punch.Called is { Nat.IsSequential: false });
        if (isHeavy && _turn is not null && _turn != punch)
        {
            punch.Stage = PunchStage.Queued;
            _waiting.Enqueue(punch);
            return;
        }

        Endpoint toward = punch.Plan.Role == PunchRole.Probe ? punch.Called!.Value.Address : punch.Session.RemoteIPv4;
        if (!_perSourceUnit.TrySpend(now, toward.SourceUnit))
        {
            drops.Count(DropReason.OverBudget);
            punch.Stage = PunchStage.Resting;
            return;
        }

        _turn = isHeavy ? punch : _turn;
        if (punch.Plan.Role == PunchRole.Probe)
        {
            punch.Stage = PunchStage.Probing;
            punch.Probes = new PortProbes(now, punch.Called!.Value.Nat, random);
            SendProbes(now, punch);
            return;
        }

        punch.Round = punch.Plan.Role == PunchRole.Mirror && !punch.Session.IsInitiator ? punch.Called!.Value.Round : (byte)(punch.Round + 1);
        if (addresses.Nat.IsSequential && _leases.TryTake(punch.Session, out ushort socket) && _locator.TryAsk(socket, punch))
        {
            punch.Stage = PunchStage.Locating;
            punch.Sockets.Add(socket);
            Wake(punch, now + PortLocator.Patience);
            return;
        }

        Open(now, punch);
    }

    // We know as well as we can where our next mappings will be: make them, and say so. One that mirrors first needs to hear the same of the peer.
    private void Open(Instant now, Punch punch)
    {
        _leases.Release(punch.Sockets);
        _locator.Forget(punch);
        punch.Stage = PunchStage.Open;
        punch.Openings = 0;
        punch.EndsAt = now + (punch.Plan.Role == PunchRole.Call && punch.Plan.IsHeavy ? HeavyTime : LightTime);
        Call(now, punch);
        if (punch.Plan.Role == PunchRole.Call)
        {
            punch.Target = punch.Session.RemoteIPv4;
            OpenSockets(now, punch);
        }
        else if (!punch.Session.IsInitiator)
        {
            OpenMirror(now, punch);
        }

        Wake(punch, now + LookInterval);
    }

    private void OpenMirror(Instant now, Punch punch)
    {
        NatDescription remote = punch.Called!.Value.Nat;
        punch.Target = punch.Called.Value.Address.WithPort(PunchPlan.MirrorTarget(remote));
        OpenSockets(now, punch);
        Wake(punch, now + LookInterval);
    }

    private void Call(Instant now, Punch punch)
    {
        Span<byte> call = stackalloc byte[PunchCall.Bytes];
        new PunchCall(punch.Round, addresses.Reflexive(System.Net.Sockets.AddressFamily.InterNetwork), addresses.Nat).Write(call);
        punch.Session.Machine.CallPunch(call);
        sessions.Touch(now, punch.Session);
    }

    private void OpenSockets(Instant now, Punch punch)
    {
        int wanted = Math.Min(punch.Plan.Sockets, PunchPlan.MaxSockets - punch.SocketsOpened);
        for (int i = 0; i < wanted && _leases.TryTake(punch.Session, out ushort socket); i++)
        {
            punch.Sockets.Add(socket);
        }

        punch.SocketsOpened += punch.Sockets.Count;
        SendFromSockets(now, punch, isOpening: true);
    }

    private void SendFromSockets(Instant now, Punch punch, bool isOpening)
    {
        punch.Openings++;
        foreach (ushort socket in punch.Sockets)
        {
            SendProbe(now, punch.Session, new NetworkPath(punch.Target, Socket: socket), isOpening);
        }
    }

    private void SendProbes(Instant now, Punch punch)
    {
        Endpoint address = punch.Called!.Value.Address;
        bool isOverBudget = false;
        while (!isOverBudget && punch.Probes.TryTake(now, out ushort port))
        {
            isOverBudget = !_probesPerSourceUnit.TrySpend(now, address.SourceUnit);
            if (!isOverBudget)
            {
                SendProbe(now, punch.Session, new NetworkPath(address.WithPort(port)), isOpening: false);
            }
        }

        if (isOverBudget)
        {
            drops.Count(DropReason.OverBudget);
        }

        if (isOverBudget || punch.Probes.IsOver)
        {
            punch.Stage = PunchStage.Resting;
            PassTurn(now, punch);
        }
        else
        {
            Wake(punch, punch.Probes.NextAt);
        }
    }

    private void SendProbe(Instant now, NodeSession session, in NetworkPath path, bool isOpening)
    {
        if (outbox.TryReserve(SessionMachine.MaxProbeBytes, out Span<byte> room) && session.Machine.TryWriteProbe(now, path, room, out int bytes))
        {
            outbox.Commit(path, bytes, isOpening);
        }
    }

    // A wide range may be missed once in three thousand times: the same mappings are called once more before they close.
    private void Rest(Instant now, Punch punch)
    {
        if (punch.Plan is { Role: PunchRole.Call, IsHeavy: true } && punch.Round < punch.Plan.Attempts)
        {
            punch.Round++;
            punch.EndsAt = now + HeavyTime;
            SendFromSockets(now, punch, isOpening: true);
            Call(now, punch);
            Wake(punch, now + LookInterval);
            return;
        }

        _leases.Release(punch.Sockets);
        PassTurn(now, punch);
        bool again = punch.Round < punch.Plan.Attempts && punch.SocketsOpened < PunchPlan.MaxSockets;
        bool leads = punch.Plan.Role == PunchRole.Call || punch.Session.IsInitiator;
        punch.Stage = again && leads ? PunchStage.Due : PunchStage.Resting;
        Wake(punch, again && leads ? now + (LightTime * punch.Round) : Instant.Never);
    }

    private void End(Instant now, Punch punch)
    {
        _leases.Release(punch.Sockets);
        _locator.Forget(punch);
        _wakes.Remove(punch);
        _ = _punches.Remove(punch.Session);
        punch.Stage = PunchStage.Resting;
        PassTurn(now, punch);
    }

    private void PassTurn(Instant now, Punch punch)
    {
        if (_turn == punch)
        {
            _turn = null;
        }

        while (_turn is null && _waiting.TryDequeue(out Punch? next))
        {
            if (next.Stage == PunchStage.Queued)
            {
                next.Stage = PunchStage.Due;
                _turn = next;
                Wake(next, now);
            }
        }
    }

    private void Wake(Punch punch, Instant at) => _wakes.Set(punch, at);
}
