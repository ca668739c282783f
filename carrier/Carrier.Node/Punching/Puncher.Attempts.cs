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
        var plan = PunchPlan.For(addresses.Nat, punch.Called?.Nat ?? punch.Session.RemoteNat);
        punch.Plan = plan.Role == punch.Plan.Role && plan.Role is PunchRole.Call or PunchRole.Birthday ? plan : punch.Plan;
        bool isHeavy = punch.Plan.IsHeavy || (punch.Plan.Role == PunchRole.Probe && punch.Called is { Nat.IsSequential: false });
        if (isHeavy && _turn is not null && _turn != punch)
        {
            punch.Stage = PunchStage.Queued;
            _waiting.Enqueue(punch);
            return;
        }

        if (punch.Plan.Role == PunchRole.Birthday && now < _nextBirthday)
        {
            WaitForMappings(now, punch, _nextBirthday);
            return;
        }

        int mappings = punch.Plan.IsHeavy ? punch.Plan.Mappings : 0;
        if (!_mappings.CanSpend(now, MappingRate, mappings))
        {
            WaitForMappings(now, punch, now + MappingWait);
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

        punch.Round = punch.Plan.Role is PunchRole.Mirror or PunchRole.Birthday && !punch.Session.IsInitiator ? punch.Called!.Value.Round : (byte)(punch.Round + 1);
        if (TryLocate(punch))
        {
            Wake(punch, now + PortLocator.Patience);
            return;
        }

        Open(now, punch);
    }

    // Who was called to meet now is not waited for so long.
    private void WaitForMappings(Instant now, Punch punch, Instant until)
    {
        bool wasCalled = punch.Plan.Role == PunchRole.Birthday && !punch.Session.IsInitiator;
        punch.Stage = wasCalled ? PunchStage.Resting : PunchStage.Due;
        Wake(punch, wasCalled ? Instant.Never : until);
        PassTurn(now, punch);
    }

    // Asks where our next mapping will be, or where the next few are.
    private bool TryLocate(Punch punch)
    {
        bool locates = addresses.Nat.IsSequential || punch.Plan.Role is PunchRole.Simultaneous or PunchRole.Birthday;
        int wanted = !locates ? 0 : punch.Plan.Role == PunchRole.Birthday ? Math.Min(punch.Plan.Sockets, PunchPlan.MaxSockets - punch.Mappings) : 1;
        punch.Mappings += punch.Plan.Role == PunchRole.Birthday ? wanted : 0;
        punch.Located = default;
        for (int i = 0; i < wanted && _leases.TryTake(punch.Session, out ushort socket); i++)
        {
            punch.Sockets.Add(socket);
            if (_locator.TryAsk(socket, punch))
            {
                punch.Stage = PunchStage.Locating;
            }
        }

        return punch.Stage == PunchStage.Locating;
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
        punch.EndsAt = now + (punch.Plan is { Role: PunchRole.Call, IsHeavy: true } or { Role: PunchRole.Birthday } ? HeavyTime : LightTime);
        if (punch.Plan.Role == PunchRole.Simultaneous)
        {
            OpenFresh(now, punch);
            return;
        }

        _leases.Release(punch.Sockets);
        Call(now, punch);
        if (punch.Plan.Role == PunchRole.Birthday && !punch.Session.IsInitiator)
        {
            ProbeRange(now, punch);
            return;
        }

        if (punch.Plan.Role == PunchRole.Call)
        {
            punch.Target = punch.Session.RemoteIPv4;
            OpenSockets(now, punch, isOpening: true);
        }
        else if (punch.Plan.Role == PunchRole.Mirror && !punch.Session.IsInitiator)
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

    // Both have told where their ports are: we probe some of the peer's, each from another of ours.
    private void ProbeRange(Instant now, Punch punch)
    {
        NatDescription remote = punch.Called!.Value.Nat;
        punch.Plan = PunchPlan.For(addresses.Nat, remote); // both know more of their blocks by now
        int wanted = punch.Plan.Role == PunchRole.Birthday ? Math.Min(punch.Plan.Probes, PunchPlan.MaxSockets - punch.Mappings) : 0;
        if (wanted <= 0)
        {
            Rest(now, punch);
            return;
        }

        punch.Mappings += wanted;
        punch.Stage = PunchStage.Probing;
        punch.Probes = new PortProbes(now, remote, random, wanted);
        SendProbes(now, punch);
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
        int wanted = Math.Min(punch.Plan.Sockets, PunchPlan.MaxSockets - punch.Mappings);
        for (int i = 0; i < wanted && _leases.TryTake(punch.Session, out ushort socket); i++)
        {
            punch.Sockets.Add(socket);
        }

        punch.Mappings += punch.Sockets.Count;
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
        bool isMapping = punch.Plan.Role == PunchRole.Birthday;
        bool isOpening = isMapping && punch.Openings == 0;
        bool isOverBudget = false;
        _nextBirthday = isMapping ? now + BirthdayRest : _nextBirthday;
        while (!isOverBudget && punch.Probes.TryTake(now, out ushort port))
        {
            isOverBudget = !_probesPerSourceUnit.TrySpend(now, address.SourceUnit);
            if (!isOverBudget)
            {
                SendProbe(now, punch.Session, new NetworkPath(address.WithPort(port)), isOpening);
            }
        }

        if (isOverBudget)
        {
            drops.Count(DropReason.OverBudget);
        }

        if (isOpening && punch.Probes.IsOver && !isOverBudget)
        {
            punch.Openings++;
            punch.Probes = punch.Probes.Again(now + BirthdayPause);
        }

        if (isOverBudget || punch.Probes.IsOver)
        {
            Rest(now, punch);
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
        bool again = (punch.Round < punch.Plan.Attempts || punch.Plan.Role == PunchRole.Birthday) && punch.Mappings < PunchPlan.MaxSockets;
        bool leads = punch.Plan.Role == PunchRole.Call || punch.Session.IsInitiator;
        punch.Stage = again && leads ? PunchStage.Due : PunchStage.Resting;
        TimeSpan rest = punch.Plan.Role == PunchRole.Birthday ? BirthdayRest : LightTime * punch.Round;
        Wake(punch, again && leads ? now + rest : Instant.Never);
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
