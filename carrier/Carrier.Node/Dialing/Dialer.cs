using Carrier.Core;
using Carrier.Core.Handshake;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Nat;
using Carrier.Node.Addresses;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;
using Carrier.Node.Transport;

namespace Carrier.Node.Dialing;

/// <summary>A home to ask for a relay channel to the device of an attempt, handing it the initiation.</summary>
internal readonly record struct ConnectRequest(DialAttempt Attempt, HomeContact Home);

/// <summary>The dialling side: from a TrustID and its devices to a session.</summary>
/// <remarks>
/// Relay first: the initiation goes to the device's best home at once, to its next home a little later, and straight to every candidate on the
/// punching schedule, all at the same time. The first answer, over whatever path, makes the session; the session then finds
/// the better path by itself. Nothing waits for anything else.
/// </remarks>
internal sealed class Dialer(
    NodeOptions options, LocalIdentity local, SessionOpener opener, SessionTable sessions, LocalAddresses addresses, KnownPeers known,
    SerialFloors floors, Outbox outbox, RandomSource random, DropCounters drops)
{
    /// <summary>Dials under way; one more is refused, since each may send to many addresses.</summary>
    public const int MaxDials = 4096;

    /// <summary>Relay channels remembered as ours; the oldest gives way, long after its session left it.</summary>
    public const int MaxChannels = 8192;

    /// <summary>Endpoints remembered that answered a dial: what is sent there needs no budget. The oldest gives way.</summary>
    private const int MaxAnswering = 1024;

    private readonly PunchBudget _budget = new(random, drops);
    private readonly Dictionary<ulong, Dial> _dials = [];
    private readonly Dictionary<ulong, DialAttempt> _byHandshake = [];
    private readonly DeadlineHeap<Dial> _deadlines = new();
    private readonly DeadlineHeap<DialAttempt> _wakes = new();
    private readonly RecentSet<NetworkPath> _channels = new(MaxChannels);
    private readonly RecentSet<Endpoint> _answering = new(MaxAnswering);
    private readonly Queue<ConnectRequest> _connects = new();
    private readonly Queue<NodeEffect> _effects = new();

    /// <summary>How long the last copy sent may take to be answered when nothing else is left to try.</summary>
    public static TimeSpan LastAnswerWait => TimeSpan.FromSeconds(2);

    public Instant NextDeadline => Instant.Min(_deadlines.Earliest, _wakes.Earliest);

    public int Count => _dials.Count;

    /// <summary>Begins a dial with what is known; false when too many are under way. The caller looks the peer up and reports by <see cref="Resolved"/>.</summary>
    public bool TryBegin(Instant now, in WallClock clock, ulong id, TrustId peer, string protocol)
    {
        if (_dials.Count >= MaxDials)
        {
            return false;
        }

        Dial dial = new(id, peer, protocol, now + options.DialTimeout) { IsResolving = true };
        _dials.Add(id, dial);
        _deadlines.Set(dial, dial.EndsAt);
        foreach (PeerDevice device in known.Of(peer))
        {
            Try(now, clock, dial, device);
        }

        return true;
    }

    /// <summary>The lookup found devices, perhaps none; <paramref name="final"/> when it is over.</summary>
    public void Resolved(Instant now, in WallClock clock, ulong id, IReadOnlyList<PeerDevice> devices, bool networkAnswered, bool final)
    {
        if (!_dials.TryGetValue(id, out Dial? dial))
        {
            return;
        }

        dial.IsResolving &= !final;
        dial.NetworkAnswered |= networkAnswered;
        foreach (PeerDevice device in devices)
        {
            Try(now, clock, dial, device);
        }

        FailIfHopeless(now, dial);
    }

    /// <summary>Whether the dial still runs.</summary>
    public bool IsUnderWay(ulong id) => _dials.ContainsKey(id);

    /// <summary>Whether the dial is knocking straight at an address that answered one not long ago.</summary>
    public bool KnocksWhereAnswered(ulong id) => _dials.TryGetValue(id, out Dial? dial) && dial.Attempts.Exists(IsAnswering);

    /// <summary>Whether a home gave us this channel: what comes over it is for us.</summary>
    public bool IsChannel(in NetworkPath path) => _channels.Contains(path);

    public void Cancel(ulong id)
    {
        if (_dials.TryGetValue(id, out Dial? dial))
        {
            End(dial);
        }
    }

    /// <summary>Takes a handshake response or retry; it opens a session, or changes nothing.</summary>
    public void Handle(Instant now, in WallClock clock, in NetworkPath path, ReadOnlySpan<byte> datagram)
    {
        if (!HandshakeInitiator.TryReadHandshakeId(datagram, out ulong handshakeId) || !_byHandshake.TryGetValue(handshakeId, out DialAttempt? attempt))
        {
            drops.Count(DropReason.Unsolicited);
            return;
        }

        if (attempt.Initiator.TryReadRetry(datagram))
        {
            Send(now, attempt, path);
            return;
        }

        if (!attempt.Initiator.TryReadResponse(now, datagram, out SessionKeys? keys))
        {
            drops.Count(DropReason.DecryptFailed);
            return;
        }

        using (keys)
        {
            Complete(now, clock, path, attempt, keys);
        }
    }

    /// <summary>The home opened a channel: answers come over it, and our later copies go over it.</summary>
    public void Connected(Instant now, ConnectRequest request, ConnectAnswer answer)
    {
        DialAttempt attempt = request.Attempt;
        attempt.HomesPending--;
        if (!attempt.IsAlive)
        {
            return;
        }

        if (answer.Status == ConnectStatus.Connected)
        {
            NetworkPath channel = new(request.Home.Endpoint, answer.Channel);
            _channels.Add(channel);
            attempt.Relays.Add(channel);
            attempt.NextRelayAt = Instant.Min(attempt.NextRelayAt, now + attempt.RelayGap);
        }
        else
        {
            attempt.NextHomeAt = now;
        }

        _wakes.Set(attempt, attempt.WakeAt);
        FailIfHopeless(now, attempt.Dial);
    }

    /// <summary>The home did not answer.</summary>
    public void NotConnected(Instant now, ConnectRequest request)
    {
        request.Attempt.HomesPending--;
        if (request.Attempt.IsAlive)
        {
            request.Attempt.HomeWasSilent(now, request.Home);
            _wakes.Set(request.Attempt, request.Attempt.WakeAt);
            FailIfHopeless(now, request.Attempt.Dial);
        }
    }

    public void HandleTimeout(Instant now)
    {
        while (_wakes.TryPopDue(now, out DialAttempt attempt))
        {
            Work(now, attempt);
        }

        while (_deadlines.TryPopDue(now, out Dial dial))
        {
            Fail(dial);
        }
    }

    /// <summary>A home to ask, for the owner of the sealed calls; it reports by <see cref="Connected"/> or <see cref="NotConnected"/>.</summary>
    public bool TryConnectRequest(out ConnectRequest request) => _connects.TryDequeue(out request);

    public bool TryEffect(out NodeEffect effect) => _effects.TryDequeue(out effect);

    // It proved that it wants what we send: not somebody whom a candidate list has us flood.
    private void RememberAnswering(in NetworkPath path)
    {
        if (!path.IsRelayed)
        {
            _answering.Add(path.Remote);
        }
    }

    private void Try(Instant now, in WallClock clock, Dial dial, PeerDevice device)
    {
        if (device.ExchangeKey == local.Device.ExchangeKey)
        {
            return;
        }

        if (device.Delegation.Verify(clock.At(now), floors.Of(dial.Peer)) != DelegationVerdict.Valid || !device.Delegation.Permits(DelegationUses.Session))
        {
            dial.SawUntrusted = true;
            return;
        }

        DialAttempt? attempt = dial.Attempts.Find(other => other.Device.ExchangeKey == device.ExchangeKey);
        if (attempt is null)
        {
            var localId = ConnectionId.Next(random);
            if (dial.Attempts.Count >= KnownPeers.MaxDevices || !opener.TryInitiate(device.ExchangeKey, dial.Peer, dial.Protocol, localId, out HandshakeInitiator? initiator))
            {
                return;
            }

            attempt = new DialAttempt(dial, device, initiator, localId, new PunchSchedule(now, addresses.Mapping, device.Record.Mapping));
            dial.Attempts.Add(attempt);
            _byHandshake.Add(initiator.HandshakeId, attempt);
            _deadlines.Set(dial, dial.EndsAt);
        }

        Learn(now, attempt, device);
        Work(now, attempt);
    }

    private bool IsAnswering(DialAttempt attempt) => attempt.Direct.Exists(path => _answering.Contains(path.Remote));

    // Adds what this record names and the attempt does not know yet: a cached record and a fresh one make one attempt.
    private void Learn(Instant now, DialAttempt attempt, PeerDevice device)
    {
        bool isNew = false;
        foreach (Candidate candidate in device.Record.Candidates)
        {
            NetworkPath path = new(candidate.Endpoint);
            if (!attempt.Direct.Contains(path) && IsWorthTrying(candidate, device))
            {
                attempt.Direct.Add(path);
                isNew = true;
            }
        }

        foreach (HomeContact home in device.Record.Homes)
        {
            bool isKnown = attempt.Homes.Contains(home) || attempt.HomesAsked.Contains(home);
            if (!isKnown)
            {
                // A device that answered us straight not long ago very likely does again; its homes have something better to do.
                attempt.Homes.Enqueue(home);
                attempt.NextHomeAt = Instant.Min(attempt.NextHomeAt, IsAnswering(attempt) ? now + DialAttempt.HomeGap : now);
            }
        }

        if (isNew && !ReferenceEquals(attempt.Device, device))
        {
            attempt.Schedule = new PunchSchedule(now, addresses.Mapping, device.Record.Mapping);
        }

        attempt.Device = device;
    }

    // A record is signed by its device, so its scope is proven by the homes it names: on a network of one machine they are loopback too.
    private bool IsWorthTrying(Candidate candidate, PeerDevice device)
    {
        AddressScope learntFrom = device.Record.Homes.Count > 0 ? device.Record.Homes.Min(home => home.Endpoint.Scope) : AddressScope.Global;
        return candidate.IsWorthTrying(addresses.Reach, learntFrom);
    }

    private void Work(Instant now, DialAttempt attempt)
    {
        if (attempt.Schedule.TryTake(now))
        {
            foreach (NetworkPath path in attempt.Direct)
            {
                if (_answering.Contains(path.Remote) || _budget.TrySpend(now, path.Remote))
                {
                    Send(now, attempt, path);
                }
            }
        }

        if (attempt.NextHomeAt <= now && attempt.Homes.TryDequeue(out HomeContact home))
        {
            attempt.HomesAsked.Add(home);
            attempt.HomesPending++;
            attempt.NextHomeAt = now + DialAttempt.HomeGap;
            _connects.Enqueue(new ConnectRequest(attempt, home));
        }

        if (attempt.NextRelayAt <= now)
        {
            attempt.Relays.ForEach(path => Send(now, attempt, path));
            attempt.RelayGap *= 2;
            attempt.NextRelayAt = now + attempt.RelayGap;
        }

        _wakes.Set(attempt, attempt.WakeAt);
        FailIfHopeless(now, attempt.Dial);
    }

    private void Send(Instant now, DialAttempt attempt, in NetworkPath path)
    {
        if (outbox.TryReserve(path.HeaderBytes + InitiationDatagram.MaxBytes, out Span<byte> room)
            && attempt.Initiator.TryWrite(isPadded: !path.IsRelayed, room[path.HeaderBytes..], out int bytes))
        {
            path.WriteHeader(room);
            outbox.Commit(path, path.HeaderBytes + bytes);
        }
    }

    private void Complete(Instant now, in WallClock clock, in NetworkPath path, DialAttempt attempt, SessionKeys keys)
    {
        Dial dial = attempt.Dial;
        // The one verified for the dial already, unless the device has a newer one than its record.
        Delegation? delegation = attempt.Device.Delegation;
        bool isDevice = (attempt.Initiator.Response.Delegation.SequenceEqual(delegation.Encoded.Span)
                || Delegation.TryParse(attempt.Initiator.Response.Delegation, out delegation))
            && delegation.ExchangeKey == attempt.Device.ExchangeKey && delegation.TrustId == dial.Peer
            && delegation.Verify(clock.At(now), floors.Of(dial.Peer)) == DelegationVerdict.Valid;
        NodeSession? session = isDevice ? opener.Complete(now, path, attempt.Initiator, keys, attempt.LocalId, dial.Peer, dial.Protocol) : null;
        if (session is null)
        {
            drops.Count(DropReason.NotAuthorized);
            dial.SawUntrusted = true;
            Drop(attempt);
            FailIfHopeless(now, dial);
            return;
        }

        foreach (NetworkPath other in (IEnumerable<NetworkPath>)[.. attempt.Relays, .. attempt.Direct])
        {
            if (other != path)
            {
                session.Machine.AddCandidatePath(now, other);
            }
        }

        RememberAnswering(path);
        known.Learn(attempt.Device);
        _effects.Enqueue(new NodeEffect(NodeEffectKind.Dialed) { Operation = dial.Id, Session = session });
        sessions.Touch(now, session);
        End(dial);
    }

    private void FailIfHopeless(Instant now, Dial dial)
    {
        if (dial.IsResolving || !dial.Attempts.TrueForAll(attempt => attempt.IsExhausted))
        {
            return;
        }

        if (dial.Attempts.Count == 0)
        {
            Fail(dial);
            return;
        }

        // Every copy is sent and no relay is open; the last may still be answered within a slow round trip.
        _deadlines.Set(dial, Instant.Min(dial.EndsAt, now + LastAnswerWait));
    }

    private void Fail(Dial dial)
    {
        DialFailure failure = dial switch
        {
            { Attempts.Count: > 0 } => DialFailure.Unreachable,
            { SawUntrusted: true } => DialFailure.NotTrusted,
            { NetworkAnswered: false } => DialFailure.NetworkUnreachable,
            _ => DialFailure.NotFound,
        };
        _effects.Enqueue(new NodeEffect(NodeEffectKind.DialFailed) { Operation = dial.Id, Failure = failure });
        End(dial);
    }

    private void End(Dial dial)
    {
        dial.Attempts.ToList().ForEach(Drop);
        _ = _dials.Remove(dial.Id);
        _deadlines.Remove(dial);
    }

    private void Drop(DialAttempt attempt)
    {
        _ = attempt.Dial.Attempts.Remove(attempt);
        _ = _byHandshake.Remove(attempt.Initiator.HandshakeId);
        _wakes.Remove(attempt);
        attempt.Dispose();
    }
}
