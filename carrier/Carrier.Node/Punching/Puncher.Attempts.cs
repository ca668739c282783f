using System.Net.Sockets;
using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Nat;
using Carrier.Node.Sessions;

namespace Carrier.Node.Punching;

/// <content>One attempt: its turn, its sockets, the peer's call, its probes, its end.</content>
internal sealed partial class Puncher
{
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

        int mappings = punch.Plan.IsHeavy ? punch.Plan.Sockets : 0;
        if (!_mappings.CanSpend(now, MappingRate, mappings))
        {
            punch.Stage = PunchStage.Due;
            Wake(punch, now + MappingWait);
            PassTurn(now, punch);
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
        _mappings.Spend(now, MappingRate, mappings);
        if (punch.Plan.Role == PunchRole.Probe)
        {
            punch.Stage = PunchStage.Probing;
            punch.Probes = new PortProbes(now, punch.Called!.Value.Nat, random);
            SendProbes(now, punch);
            return;
        }

        if (punch.Plan.Role == PunchRole.Mirror && punch is { Round: 0, Called.Round: 0 })
        {
            MirrorAsTold(now, punch);
            return;
        }

        punch.Round = punch.Plan.Role == PunchRole.Mirror && !punch.Session.IsInitiator ? punch.Called!.Value.Round : (byte)(punch.Round + 1);
        bool locates = addresses.Nat.IsSequential || punch.Plan.Role == PunchRole.Simultaneous;
        if (locates && _leases.TryTake(punch.Session, out ushort socket) && _locator.TryAsk(socket, punch))
        {
            punch.Located = default;
            punch.Stage = PunchStage.Locating;
            punch.Sockets.Add(socket);
            Wake(punch, now + PortLocator.Patience);
            return;
        }

        Open(now, punch);
    }

    // Both ends know from the handshake where the other's next mappings will be. The initiator knew first: its openings were there before the responder's arrive.
    private void MirrorAsTold(Instant now, Punch punch)
    {
        punch.Stage = PunchStage.Open;
        punch.Openings = 0;
        punch.EndsAt = now + ToldTime;
        OpenMirror(now, punch, isOpening: punch.Session.IsInitiator);
    }

    // We know as well as we can where our next mappings will be: make them, and say so. One that mirrors first needs to hear the same of the peer.
    private void Open(Instant now, Punch punch)
    {
        _locator.Forget(punch);
        punch.Stage = PunchStage.Open;
        punch.Openings = 0;
        punch.EndsAt = now + (punch.Plan.Role == PunchRole.Call && punch.Plan.IsHeavy ? HeavyTime : LightTime);
        if (punch.Plan.Role == PunchRole.Simultaneous)
        {
            OpenFresh(now, punch);
            return;
        }

        _leases.Release(punch.Sockets);
        Call(now, punch);
        if (punch.Plan.Role == PunchRole.Call)
        {
            punch.Target = punch.Session.RemoteIPv4;
            OpenSockets(now, punch, isOpening: true);
        }
        else if (!punch.Session.IsInitiator)
        {
            OpenMirror(now, punch, isOpening: true);
        }

        Wake(punch, now + LookInterval);
    }

    // The socket whose endpoint a home saw: nothing was ever sent there, so nothing stands against it in any NAT. We open ours, and the peer comes.
    private void OpenFresh(Instant now, Punch punch)
    {
        Wake(punch, now + LookInterval);
        if (punch.Located.IsNone)
        {
            return; // the next attempt asks again
        }

        punch.Target = punch.Session.RemoteIPv4;
        SendFromSockets(now, punch, isOpening: true);
        Call(now, punch, punch.Located, addresses.Nat with { LastPort = punch.Located.Port });
    }

    private void MeetFresh(Instant now, NodeSession session, in PunchCall call)
    {
        if (!_perSourceUnit.TrySpend(now, call.Address.SourceUnit))
        {
            drops.Count(DropReason.OverBudget);
            return;
        }

        session.Machine.AddCandidatePath(now, new NetworkPath(call.Address.WithPort(call.Nat.LastPort)));
        sessions.Touch(now, session);
    }

    private void OpenMirror(Instant now, Punch punch, bool isOpening)
    {
        NatDescription remote = punch.Called!.Value.Nat;
        punch.Target = punch.Called.Value.Address.WithPort(PunchPlan.MirrorTarget(remote));
        OpenSockets(now, punch, isOpening);
        Wake(punch, now + LookInterval);
    }

    private void Call(Instant now, Punch punch) => Call(now, punch, addresses.Reflexive(AddressFamily.InterNetwork), addresses.Nat);

    private void Call(Instant now, Punch punch, Endpoint address, in NatDescription nat)
    {
        Span<byte> call = stackalloc byte[PunchCall.Bytes];
        new PunchCall(punch.Round, address, nat).Write(call);
        punch.Session.Machine.CallPunch(call);
        sessions.Touch(now, punch.Session);
    }

    private void OpenSockets(Instant now, Punch punch, bool isOpening)
    {
        int wanted = Math.Min(punch.Plan.Sockets, PunchPlan.MaxSockets - punch.SocketsOpened);
        for (int i = 0; i < wanted && _leases.TryTake(punch.Session, out ushort socket); i++)
        {
            punch.Sockets.Add(socket);
        }

        punch.SocketsOpened += punch.Sockets.Count;
        SendFromSockets(now, punch, isOpening);
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
}
