using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Session.Recovery;
using Carrier.Nat;
using Carrier.Node.Dialing;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;

namespace Carrier.Node;

/// <content>What the application asks of a node.</content>
public sealed partial class NodeMachine
{
    public bool IsReady => _isReady;

    public IReadOnlyCollection<NodeSession> Sessions => _sessions.All;

    /// <summary>Dials a TrustID. Exactly one <see cref="NodeEffectKind.Dialed"/> or <see cref="NodeEffectKind.DialFailed"/> follows, with the number returned.</summary>
    /// <param name="peer">Whom to reach.</param>
    /// <param name="protocol">What to speak.</param>
    /// <param name="congestion">This session's congestion controller, where it is not the node's.</param>
    public ulong Dial(Instant now, TrustId peer, string protocol, CongestionControl? congestion = null)
    {
        ulong operation = _nextOperation++;
        if (_dialer is null || !_dialer.TryBegin(now, Clock, operation, peer, protocol, congestion))
        {
            _effects.Enqueue(new NodeEffect(NodeEffectKind.DialFailed) { Operation = operation, Failure = DialFailure.Busy });
            return operation;
        }

        // A dial that knocks where it was answered before is most likely over before the network would have said anything.
        bool searches = (_dialer.KnocksWhereAnswered(now, operation) && _directory.TrySearchLater(now, _dialer.WaitForNetwork, peer, operation))
            || _directory.TrySearch(now, peer, operation, forDial: true);
        if (!searches)
        {
            _dialer.Resolved(now, Clock, operation, [], networkAnswered: false, final: true);
        }

        Settle(now);
        return operation;
    }

    /// <summary>Gives a dial up; nothing more is told of it.</summary>
    public void CancelDial(ulong operation) => _dialer?.Cancel(operation);

    /// <summary>Looks for a peer's devices; one <see cref="NodeEffectKind.Resolved"/> follows.</summary>
    public ulong Resolve(Instant now, TrustId peer)
    {
        ulong operation = _nextOperation++;
        if (!_directory.TrySearch(now, peer, operation, forDial: false))
        {
            _effects.Enqueue(new NodeEffect(NodeEffectKind.Resolved) { Operation = operation, Devices = [], Failure = DialFailure.Busy });
        }

        Settle(now);
        return operation;
    }

    /// <summary>Tells that the shell looks for devices on the links it is on: dials wait a moment for <see cref="Meet"/>. A node that knows of no seed has nobody
    /// else to wait for and is ready.</summary>
    public void LookOnLinks(Instant now)
    {
        _dialer?.LooksOnLinks = true;
        _looksOnLinks = true;
        Settle(now);
    }

    /// <summary>Takes in a device that said on a link of ours that it is <paramref name="device"/>'s: dials under way knock there. Nothing of it is believed yet.</summary>
    public void Meet(Instant now, PeerDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _dialer?.Meet(now, Clock, device);
        Settle(now);
    }

    /// <summary>Accepts sessions that name this protocol from now on.</summary>
    public void Listen(string protocol) => _protocols.Add(protocol);

    public void StopListening(string protocol) => _protocols.Remove(protocol);

    /// <summary>Follows up on a session whose machine the application has just used.</summary>
    public void Touch(Instant now, NodeSession session) => _sessions.Touch(now, session);

    /// <summary>Tells the addresses of this machine's interfaces, with the socket's port.</summary>
    /// <param name="now">The time.</param>
    /// <param name="hosts">The addresses.</param>
    /// <param name="routed">The families with a route out of this machine's own networks.</param>
    public void SetHostEndpoints(Instant now, ReadOnlySpan<Endpoint> hosts, IPFamilies routed = IPFamilies.Both)
    {
        LocalReach before = _addresses.Reach;
        bool moved = _addresses.SetHosts(hosts, routed);
        bool ipv4 = _addresses.HasRoute(isIPv4: true), ipv6 = _addresses.HasRoute(isIPv4: false);
        _dht.SetRoutes(now, ipv4, ipv6);
        _homes?.SetRoutes(now, ipv4, ipv6);
        if (moved)
        {
            _natTest?.Restart(now);
            _mappingTest?.Restart(now);
        }

        if (moved || _addresses.Reach != before)
        {
            RetryOutOfReach(now);
            ProveAgain(now);
        }

        _homes?.CheckNow(now);
        Settle(now);
    }

    // A session whose paths do not lead from here any more need not find that out by silence.
    private void ProveAgain(Instant now)
    {
        foreach (NodeSession session in _sessions.All.ToArray())
        {
            session.Machine.OnNetworkChanged(now);
            Reconnect(now, session);
            _sessions.Touch(now, session);
        }
    }

    /// <summary>Tells where the gateway forwards our port from; none when nowhere.</summary>
    public void SetMappedEndpoint(Instant now, Endpoint external)
    {
        _addresses.SetMapped(external);
        Settle(now);
    }

    public void SetClock(WallClock clock)
    {
        Clock = clock;
        _dht.Clock = clock;
        _homes?.Clock = clock;
    }

    /// <summary>Takes note of an owner's word that some of its delegations are dead.</summary>
    public void Learn(Revocation revocation)
    {
        ArgumentNullException.ThrowIfNull(revocation);
        if (revocation.Verify())
        {
            _floors.Raise(revocation.TrustId, revocation.SerialFloor);
        }
    }

    /// <summary>Takes no device and opens no relay channel for others from now on; what there is goes on.</summary>
    public void Drain() => _services?.IsDraining = true;

    /// <summary>Begins to leave: no new registrations, homes are told, sessions are closed. Drive on for a moment so that it is sent.</summary>
    public void Leave(Instant now)
    {
        Drain();
        _homes?.Leave(now);
        foreach (NodeSession session in _sessions.All.ToArray())
        {
            session.Machine.Close(now, NodeCloseCode.NodeStopped, "the node stops");
            _sessions.Touch(now, session);
        }

        Settle(now);
    }

    /// <summary>What is worth keeping over a restart: routing table and records, and the devices met.</summary>
    public NodeSnapshot Snapshot(Instant now) => new(_dht.Snapshot(), _known.Snapshot());

    /// <summary>Takes a snapshot back in, before the node has met anybody.</summary>
    public void Restore(Instant now, NodeSnapshot snapshot)
    {
        _directory.ExpectsNetwork |= _dht.TryRestore(now, snapshot.Dht.Span);
        _known.Restore(snapshot.Peers.Span);
        Settle(now);
    }

    /// <summary>Lets go of memory that no session needed since the last call.</summary>
    public void TrimMemory() => _opener?.TrimSlabs();

    public NodeReport Report(Instant now)
    {
        HomeContact[] homes = new HomeContact[HomeMachine.MaxHomes];
        int homeCount = _homes?.CopyHomes(homes) ?? 0;
        return new NodeReport
        {
            IsReady = _isReady,
            IsServing = _dht.IsServing,
            Candidates = _addresses.Candidates,
            Mapping = _addresses.Mapping,
            Nat = _addresses.Nat,
            Homes = homes[..homeCount],
            KeepAliveInterval = _homes?.MappingLifetime.Interval ?? TimeSpan.Zero,
            TableNodes = _dht.Table.Count,
            StoredRecords = _dht.Store.Count,
            EstimatedNetworkSize = _dht.EstimatedNetworkSize,
            Sessions = _sessions.All.Count,
            Dials = _dialer?.Count ?? 0,
            Registrations = _services?.Registrations ?? 0,
            RelayChannels = _services?.Relay.ChannelCount ?? 0,
            RelayedBytes = _services?.Relay.ForwardedBytes ?? 0,
            RelayedPackets = _services?.Relay.ForwardedPackets ?? 0,
            OutstandingSlabs = _opener?.OutstandingSlabs ?? 0,
        };
    }
}
