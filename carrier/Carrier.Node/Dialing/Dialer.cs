using Carrier.Core;
using Carrier.Core.Handshake;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Core.Session.Recovery;
using Carrier.Node.Addresses;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;
using Carrier.Node.Transport;

namespace Carrier.Node.Dialing;

/// <summary>The dialling side: from a TrustID and its devices to a session.</summary>
/// <remarks>
/// Relay first, and nothing waits for anything else: <see cref="Initiations"/> sends over every way there is at the same time. The first answer,
/// over whatever path, makes the session; the session then finds the better path by itself.
/// </remarks>
internal sealed class Dialer(
    NodeOptions options, LocalIdentity local, SessionOpener opener, SessionTable sessions, LocalAddresses addresses, HomeMachine? homes, KnownPeers known,
    SerialFloors floors, Outbox outbox, RandomSource random, DropCounters drops)
{
    /// <summary>Dials under way; one more is refused, since each may send to many addresses.</summary>
    public const int MaxDials = 4096;

    private readonly Reconnections _reconnections = new(addresses, homes);
    private readonly Initiations _initiations = new(addresses, homes, outbox, random, drops);
    private readonly Dictionary<ulong, Dial> _dials = [];
    private readonly DeadlineHeap<Dial> _deadlines = new();
    private readonly Queue<NodeEffect> _effects = new();

    /// <summary>How long the last copy sent may take to be answered when nothing else is left to try.</summary>
    public static TimeSpan LastAnswerWait => TimeSpan.FromSeconds(2);

    /// <summary>How long a dial for which nobody is known yet waits for a device on the same link to speak up.</summary>
    public static TimeSpan LinkPatience => TimeSpan.FromSeconds(1.5);

    /// <summary>Whether devices are looked for on our links, and told by <see cref="Meet"/>.</summary>
    public bool LooksOnLinks { get; set; }

    /// <summary>How long a dial that knocks where it was answered before goes without the network.</summary>
    public TimeSpan WaitForNetwork => _initiations.Patience + DialAttempt.HomeGap;

    public Instant NextDeadline => Instant.Min(_deadlines.Earliest, _initiations.NextDeadline);

    public int Count => _dials.Count;

    /// <summary>Begins a dial with what is known; false when too many are under way. The caller looks the peer up and reports by <see cref="Resolved"/>.</summary>
    public bool TryBegin(Instant now, in WallClock clock, ulong id, TrustId peer, string protocol, CongestionControl? congestion)
    {
        if (_dials.Count >= MaxDials)
        {
            return false;
        }

        Dial dial = new(id, peer, protocol, now + options.DialTimeout) { Congestion = congestion ?? options.Session.CongestionControl, IsResolving = true, LinkUntil = LooksOnLinks ? now + LinkPatience : now };
        _dials.Add(id, dial);
        _deadlines.Set(dial, dial.EndsAt);
        foreach (PeerDevice device in known.Of(peer))
        {
            Try(now, clock, dial, device);
        }

        return true;
    }

    /// <summary>The lookup for a dial or a lost session found devices, perhaps none; <paramref name="final"/> when it is over.</summary>
    public void Resolved(Instant now, in WallClock clock, ulong id, IReadOnlyList<PeerDevice> devices, bool networkAnswered, bool final)
    {
        if (!_dials.TryGetValue(id, out Dial? dial))
        {
            _reconnections.Resolved(now, id, devices, final);
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

    /// <summary>A device on one of our links says whose it is: every dial for that TrustID knocks there.</summary>
    public void Meet(Instant now, in WallClock clock, PeerDevice device)
    {
        foreach (Dial dial in _dials.Values.Where(dial => dial.Peer == device.Delegation.TrustId).ToArray())
        {
            Try(now, clock, dial, device);
        }
    }

    /// <summary>A tunnel stands: what waited for it goes on.</summary>
    public void OnTunnelled(Instant now, Endpoint home) => _initiations.OnTunnelled(now, home);

    /// <summary>Whether the dial still runs.</summary>
    public bool IsUnderWay(ulong id) => _dials.ContainsKey(id);

    /// <summary>Whether the dial is knocking straight at an address that answered one not long ago.</summary>
    public bool KnocksWhereAnswered(Instant now, ulong id) =>
        _dials.TryGetValue(id, out Dial? dial) && dial.Attempts.Exists(attempt => _initiations.KnocksWhereAnswered(now, attempt));

    /// <summary>Whether a home gave us this channel: what comes over it is for us.</summary>
    public bool IsChannel(in NetworkPath path) => _initiations.IsChannel(path);

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
        if (!_initiations.TryFind(datagram, out DialAttempt? attempt))
        {
            drops.Count(DropReason.Unsolicited);
            return;
        }

        if (attempt.Initiator.TryReadRetry(datagram))
        {
            _initiations.Send(attempt, path);
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

    /// <summary>The home opened a channel, or would not.</summary>
    public void Connected(Instant now, ConnectRequest request, ConnectAnswer answer)
    {
        if (_initiations.Connected(now, request, answer))
        {
            FailIfHopeless(now, request.Attempt.Dial);
        }
    }

    /// <summary>The home did not answer.</summary>
    public void NotConnected(Instant now, ConnectRequest request)
    {
        if (_initiations.NotConnected(now, request))
        {
            FailIfHopeless(now, request.Attempt.Dial);
        }
    }

    public void HandleTimeout(Instant now)
    {
        while (_initiations.TryWork(now, out DialAttempt attempt))
        {
            FailIfHopeless(now, attempt.Dial);
        }

        while (_deadlines.TryPopDue(now, out Dial dial))
        {
            Fail(dial);
        }
    }

    /// <summary>A home to ask, for the owner of the sealed calls; it reports by <see cref="Connected"/> or <see cref="NotConnected"/>.</summary>
    public bool TryConnectRequest(out ConnectRequest request) => _initiations.TryConnectRequest(out request);

    /// <summary>The path of a session swallows what is sent: the peer's homes are asked for another. True when the caller is to look the peer up and to
    /// report by <see cref="Resolved"/> under the number <paramref name="search"/>: it may have other homes by now.</summary>
    public bool TryReconnect(Instant now, NodeSession session, ulong search) => _reconnections.OnSilent(now, session, search);

    /// <summary>As <see cref="TryConnectRequest"/>, for a live session; the owner reports by <see cref="Reconnected"/>, or not at all.</summary>
    public bool TryReconnectRequest(out ReconnectRequest request) => _reconnections.TryRequest(out request);

    public void Reconnected(Instant now, ReconnectRequest request, ConnectAnswer answer)
    {
        if (answer.Status == ConnectStatus.Connected && !request.Session.IsRemoved)
        {
            NetworkPath channel = new(request.Home.Endpoint, answer.Channel);
            _initiations.Remember(channel);
            request.Session.Machine.AddCandidatePath(now, channel);
            sessions.Touch(now, request.Session);
        }
    }

    public bool TryEffect(out NodeEffect effect) => _effects.TryDequeue(out effect);

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

            attempt = _initiations.Begin(now, dial, device, initiator, localId);
            dial.Attempts.Add(attempt);
            _deadlines.Set(dial, dial.EndsAt);
        }

        _initiations.Learn(now, attempt, device);
        _initiations.Work(now, attempt);
        FailIfHopeless(now, dial);
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
        NodeSession? session = isDevice ? opener.Complete(now, path, attempt.Initiator, keys, attempt.LocalId, dial) : null;
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

        session.Device = attempt.Device;
        _initiations.Answered(now, attempt, path);
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

        if (dial.Attempts.Count == 0 && now < dial.LinkUntil)
        {
            _deadlines.Set(dial, Instant.Min(dial.EndsAt, dial.LinkUntil));
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
        _initiations.Drop(attempt);
    }
}
