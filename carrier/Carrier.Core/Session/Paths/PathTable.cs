using System.Runtime.CompilerServices;
using Carrier.Core.Session.Recovery;

namespace Carrier.Core.Session.Paths;

/// <summary>The paths of a session, the one in use, and the rules by which it changes.</summary>
/// <remarks>
/// The initiator chooses: the best validated path, by <see cref="PathState.Rank"/>. The responder follows the path of the peer's newest packet that is
/// no mere probe (RFC 9000 §9.3), once validated. A path in use that is not validated gives way to any that is, and either side leaves
/// one that swallows <see cref="DeadAfterProbeTimeouts"/> probe timeouts for another validated one. So both agree without a word, and a stranger who re-sends a captured packet earns probes, at most three bytes for one.
/// </remarks>
internal sealed class PathTable
{
    /// <summary>Paths known at once.</summary>
    public const int MaxPaths = 8;

    /// <summary>Probe timeouts in a row after which a path is held to be dead, when there is another.</summary>
    public const int DeadAfterProbeTimeouts = 3;

    /// <summary>Probe timeouts in a row after which other ways to the peer are sought, before this one is held to be dead.</summary>
    public const int SilentAfterProbeTimeouts = 2;

    /// <summary>Candidates a peer may have us probe at once; then one per <see cref="CandidateInterval"/>.</summary>
    public const int CandidateBurst = 16;

    private readonly List<PathState> _paths = new(MaxPaths);
    private readonly SessionRole _role;
    private readonly RandomSource _random;
    private readonly int _ceilingBytes;
    private readonly CongestionControl _congestion;
    private AddressScope _nearestScope;
    private byte _nextId;
    private Instant _candidateCreditAt;
    private PathState? _peerPath;

    public PathTable(
        SessionRole role, in NetworkPath first, int ceilingBytes, CongestionControl congestion, AddressScope nearestScope, RandomSource random)
    {
        _role = role;
        _random = random;
        _ceilingBytes = ceilingBytes;
        _congestion = congestion;
        _nearestScope = Nearer(nearestScope, first.Remote.Scope);
        Active = Add(first);
        Active.IsConsented = true;
        if (role == SessionRole.Initiator)
        {
            // The handshake's answer came over it.
            Active.Validate();
        }
    }

    /// <summary>How often a peer may name one more candidate to probe.</summary>
    public static TimeSpan CandidateInterval => TimeSpan.FromSeconds(1);

    public PathState Active { get; private set; }

    public int Count => _paths.Count;

    /// <summary>Set when <see cref="Active"/> became another path; whoever acts on it clears it.</summary>
    public bool HasMoved { get; set; }

    public Instant NextDeadline
    {
        get
        {
            Instant deadline = Active.MtuProbeAt;
            foreach (PathState path in _paths)
            {
                deadline = Instant.Min(deadline, path.NextChallengeAt);
            }

            return deadline;
        }
    }

    public bool HasDirect => _paths.Exists(path => path.IsValidated && !path.Path.IsRelayed);

    public bool UsesSocket(ushort socket) => _paths.Exists(path => path.Path.Socket == socket);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public PathState? Find(in NetworkPath path)
    {
        if (Active.Path == path)
        {
            return Active;
        }

        foreach (PathState known in _paths)
        {
            if (known.Path == path)
            {
                return known;
            }
        }

        return null;
    }

    /// <summary>Our own node knows a way the peer might be reached: challenge it. Its scope is one a peer may lead us to from then on.</summary>
    public void AddConsented(Instant now, in NetworkPath path)
    {
        if (path.Remote.Scope == AddressScope.Unusable || path.Remote.Port == 0)
        {
            return;
        }

        _nearestScope = Nearer(_nearestScope, path.Remote.Scope);
        Supersede(path);
        PathState? known = Find(path) ?? TryAdd(path);
        if (known is { IsValidated: false })
        {
            known.IsConsented = true;
            known.BeginRound(now);
        }
    }

    /// <summary>The peer named an endpoint it may be reached at (CANDIDATES). False when it is refused.</summary>
    public bool AddCandidate(Instant now, Endpoint endpoint)
    {
        NetworkPath path = new(endpoint);
        if (!Admits(endpoint) || Find(path) is not null)
        {
            return false;
        }

        Instant credit = Instant.Max(_candidateCreditAt, now) + CandidateInterval;
        if (credit - now > CandidateBurst * CandidateInterval || TryAdd(path) is not { } added)
        {
            return false;
        }

        _candidateCreditAt = credit;
        added.IsConsented = true;
        added.BeginRound(now);
        return true;
    }

    /// <summary>An authentic packet came from an address not known: a candidate too, but one that is owed at most three times its bytes.</summary>
    public PathState? Adopt(Instant now, in NetworkPath path)
    {
        if (!Admits(path.Remote) || TryAdd(path) is not { } added)
        {
            return null;
        }

        added.BeginRound(now);
        return added;
    }

    /// <summary>The peer's newest packet that is no mere probe came over <paramref name="path"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void OnPeerUses(Instant now, PathState path)
    {
        if (path == Active && path == _peerPath)
        {
            return; // nothing to choose anew: what may be better shows when it answers a challenge
        }

        _peerPath = path;
        Choose(now);
    }

    /// <summary>A PATH_RESPONSE came; false when it answers none of our challenges.</summary>
    public bool OnResponse(Instant now, ulong token)
    {
        foreach (PathState path in _paths)
        {
            if (path.OnResponse(now, token))
            {
                KeepStandby(now, path);
                Choose(now);
                Supersede(path.Path);
                return true;
            }
        }

        return false;
    }

    /// <summary>Our addresses are others. A path that worked from the ones before is no refuge when the one in use falls silent, and makes room for one that the peer is heard on now.</summary>
    public void OnNetworkChanged(Instant now)
    {
        foreach (PathState path in _paths)
        {
            path.Suspect(now);
            path.HeardAt = Instant.Zero;
        }
    }

    /// <summary>The path in use answers nothing: prefer another that works, if there is one.</summary>
    public void OnActiveSilent(Instant now)
    {
        PathState? best = null;
        foreach (PathState path in _paths)
        {
            if (path != Active && path.IsValidated
                && (best is null || path.Rank > best.Rank || (path.Rank == best.Rank && path.HeardAt > best.HeardAt)))
            {
                best = path;
            }
        }

        PathState silent = Active;
        if (best is not null)
        {
            MoveTo(now, best);
            silent.Suspect(now);
        }
        else if (silent.NextChallengeAt == Instant.Never)
        {
            silent.BeginRound(now);
        }
    }

    /// <summary>Finds a path that has a response to give or a challenge due.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryNextProbing(Instant now, out PathState probing)
    {
        foreach (PathState path in _paths)
        {
            if (path.ResponseOwed is not null || path.WantsChallenge(now))
            {
                probing = path;
                return true;
            }
        }

        probing = Active;
        return Active.MtuProbeAt <= now;
    }

    /// <summary>Ends rounds that got no answer: such paths go, unless in use.</summary>
    public void HandleTimeout(Instant now)
    {
        for (int i = _paths.Count - 1; i >= 0; i--)
        {
            PathState path = _paths[i];
            if (!path.HasFailed || path.NextChallengeAt > now)
            {
                continue;
            }

            if (path == Active)
            {
                path.BeginRound(Instant.Never);
            }
            else
            {
                Remove(path);
            }
        }
    }

    /// <summary>20 to 28 s, drawn anew each time: shorter than the 30 s many NATs keep a UDP binding, and never in step with others.</summary>
    public static TimeSpan KeepAliveDelay(RandomSource random) => TimeSpan.FromMilliseconds(20_000 + random.NextInt32(8_000));

    private static AddressScope Nearer(AddressScope left, AddressScope right) =>
        right == AddressScope.Unusable || left < right ? left : right;

    private bool Admits(Endpoint endpoint) =>
        endpoint.Port != 0 && endpoint.Scope != AddressScope.Unusable && endpoint.Scope >= _nearestScope;

    private void Choose(Instant now)
    {
        PathState best = Active;
        foreach (PathState path in _paths)
        {
            bool better = !best.IsValidated
                || (path == _peerPath && (_role == SessionRole.Responder || path.Rank == best.Rank))
                || (_role == SessionRole.Initiator && path.Rank > best.Rank);
            best = path.IsValidated && better ? path : best;
        }

        MoveTo(now, best);
    }

    private void MoveTo(Instant now, PathState path)
    {
        if (path != Active)
        {
            PathState left = Active;
            Active = path;
            HasMoved = true;
            path.BeginRound(Instant.Never);
            if (path.Rank > left.Rank)
            {
                KeepStandby(now, left);
            }
            else
            {
                left.Suspect(now); // nobody leaves a path for one no better while it works
            }
        }
    }

    // A path held in reserve is challenged now and then: keeps NAT bindings open, and tells when it is gone.
    private void KeepStandby(Instant now, PathState path)
    {
        if (path != Active && path.IsValidated)
        {
            path.BeginRound(now + KeepAliveDelay(_random));
        }
    }

    // A relay gives an endpoint one channel to a peer: another channel means that it sees the dialler elsewhere, and the one before leads nowhere.
    private void Supersede(in NetworkPath channel)
    {
        for (int i = _paths.Count - 1; i >= 0 && channel.IsRelayed; i--)
        {
            NetworkPath known = _paths[i].Path;
            if (known.IsRelayed && known.Remote == channel.Remote && known != channel && _paths[i] != Active)
            {
                Remove(_paths[i]);
            }
        }
    }

    private PathState? TryAdd(in NetworkPath path)
    {
        if (_paths.Count == MaxPaths)
        {
            // An unproven path makes room, the oldest first, before one that the peer was heard on lately; a proven one does not.
            PathState? oldest = _paths.Find(known => !known.IsValidated && known != Active && known.HeardAt == Instant.Zero)
                ?? _paths.Find(known => !known.IsValidated && known != Active && known.HasHadItsChance);
            if (oldest is null)
            {
                return null;
            }

            Remove(oldest);
        }

        return Add(path);
    }

    private PathState Add(in NetworkPath path)
    {
        PathState added = new(_nextId++, path, _ceilingBytes, _congestion);
        _paths.Add(added);
        return added;
    }

    private void Remove(PathState path)
    {
        _paths.Remove(path);
        if (_peerPath == path)
        {
            _peerPath = null;
        }
    }
}
