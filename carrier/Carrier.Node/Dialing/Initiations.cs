using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Handshake;
using Carrier.Core.Session;
using Carrier.Nat;
using Carrier.Node.Addresses;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;
using Carrier.Node.Transport;

namespace Carrier.Node.Dialing;

/// <summary>The initiations under way: which paths the copies of each take, and when the next leaves.</summary>
/// <remarks>
/// A copy goes to the device's best home at once, to its next home a little later, over every relay channel that opens, and straight to every
/// candidate on the punching schedule, all at the same time. What is sent to an address that never answered us spends <see cref="PunchBudget"/>.
/// </remarks>
internal sealed class Initiations(LocalAddresses addresses, HomeMachine? homes, Outbox outbox, RandomSource random, DropCounters drops)
{
    /// <summary>Relay channels remembered as ours; the oldest gives way, long after its session left it.</summary>
    public const int MaxChannels = 8192;

    /// <summary>Endpoints remembered that answered a dial: what is sent there needs no budget. The oldest gives way.</summary>
    private const int MaxAnswering = 1024;

    /// <summary>How long NATs let in at the least whom they let in before: Linux keeps an answered flow for twice this and more.</summary>
    private static readonly TimeSpan FlowLifetime = TimeSpan.FromSeconds(20);

    private readonly PunchBudget _budget = new(random, drops);
    private readonly Dictionary<ulong, DialAttempt> _byHandshake = [];
    private readonly DeadlineHeap<DialAttempt> _wakes = new();
    private readonly RecentSet<NetworkPath> _channels = new(MaxChannels);
    private readonly RecentAnswers _answers = new(MaxAnswering);
    private readonly Queue<ConnectRequest> _connects = new();
    private TimeSpan _answerTime;

    /// <summary>How long a device has to answer once a home has handed it our initiation, before direct copies go all the way regardless.</summary>
    public static TimeSpan EarlyTime => TimeSpan.FromMilliseconds(400);

    /// <summary>The same where no home has said yet that it did.</summary>
    public static TimeSpan LongestEarlyTime => TimeSpan.FromMilliseconds(1500);

    public Instant NextDeadline => _wakes.Earliest;

    /// <summary>How long a copy that went where one was answered before is left alone: several times what answers took lately. Where a node is busy with many
    /// dials, more copies, homes and lookups would make each take longer still.</summary>
    public TimeSpan Patience => TimeSpan.FromTicks(Math.Clamp(4 * _answerTime.Ticks, PunchSchedule.FirstGap.Ticks, MaxPatience.Ticks));

    private static TimeSpan MaxPatience => TimeSpan.FromMilliseconds(500);

    /// <summary>Whether a home gave us this channel: what comes over it is for us.</summary>
    public bool IsChannel(in NetworkPath path) => _channels.Contains(path);

    /// <summary>Whether an address that answered a dial not long ago, and lets us in, is among those knocked at.</summary>
    public bool KnocksWhereAnswered(Instant now, DialAttempt attempt) => attempt.Direct.Exists(path => _answers.Contains(path.Remote) && !IsEarly(now, attempt, path));

    /// <summary>Notes a channel that a home gave us.</summary>
    public void Remember(in NetworkPath channel) => _channels.Add(channel);

    public DialAttempt Begin(Instant now, Dial dial, PeerDevice device, HandshakeInitiator initiator, ConnectionId localId)
    {
        DialAttempt attempt = new(dial, device, initiator, localId, new PunchSchedule(now)) { BegunAt = now, EarlyUntil = now + LongestEarlyTime };
        _byHandshake.Add(initiator.HandshakeId, attempt);
        return attempt;
    }

    /// <summary>The attempt that a handshake response or retry names.</summary>
    public bool TryFind(ReadOnlySpan<byte> datagram, [NotNullWhen(true)] out DialAttempt? attempt)
    {
        attempt = null;
        return HandshakeInitiator.TryReadHandshakeId(datagram, out ulong handshakeId) && _byHandshake.TryGetValue(handshakeId, out attempt);
    }

    /// <summary>Adds what this record names and the attempt does not know yet: a cached record and a fresh one make one attempt.</summary>
    public void Learn(Instant now, DialAttempt attempt, PeerDevice device)
    {
        bool isNew = false;
        foreach (Candidate candidate in device.Record.Candidates)
        {
            NetworkPath path = new(candidate.Endpoint);
            if (!attempt.Direct.Contains(path) && addresses.IsWorthTrying(candidate))
            {
                attempt.Direct.Add(path);
                isNew = true;
            }
        }

        foreach (HomeContact named in device.Record.Homes)
        {
            bool isInReach = addresses.TryReach(named, homes, out HomeContact home);
            bool isKnown = attempt.Homes.Contains(home) || attempt.HomesAsked.Contains(home);
            if (!isKnown && isInReach)
            {
                attempt.Homes.Enqueue(home);

                // A device that answered us straight not long ago very likely does again; its homes have something better to do.
                attempt.NextHomeAt = Instant.Min(attempt.NextHomeAt, KnocksWhereAnswered(now, attempt) ? now + Patience + DialAttempt.HomeGap : now);
            }
        }

        if (attempt.HasNoHome)
        {
            AwaitTunnels(now, attempt, device.Record.Homes);
        }

        if (isNew && !ReferenceEquals(attempt.Device, device))
        {
            attempt.Schedule = new PunchSchedule(now);
        }

        // What a device says on our link is not signed and names no home: it adds to the record, it does not replace it.
        attempt.Device = device.Sequence >= attempt.Device.Sequence ? device : attempt.Device;
    }

    /// <summary>A tunnel to a home stands: the devices behind it are asked for there.</summary>
    public void OnTunnelled(Instant now, Endpoint endpoint)
    {
        foreach (DialAttempt attempt in _byHandshake.Values)
        {
            foreach (HomeContact home in attempt.AwaitingTunnel.Where(home => home.Endpoint == endpoint).ToArray())
            {
                _ = attempt.AwaitingTunnel.Remove(home);
                attempt.Homes.Enqueue(home);
                attempt.NextHomeAt = Instant.Min(attempt.NextHomeAt, now);
                _wakes.Set(attempt, attempt.WakeAt);
            }
        }
    }

    /// <summary>Works on the next attempt whose time has come; false when there is none.</summary>
    public bool TryWork(Instant now, out DialAttempt attempt)
    {
        bool isDue = _wakes.TryPopDue(now, out attempt);
        if (isDue)
        {
            Work(now, attempt);
        }

        return isDue;
    }

    /// <summary>Sends the copies that are due.</summary>
    public void Work(Instant now, DialAttempt attempt)
    {
        if (!attempt.HasKnocked && KnocksWhereAnswered(now, attempt))
        {
            Knock(now, attempt);
        }

        if (attempt.Schedule.TryTake(now))
        {
            foreach (NetworkPath path in attempt.Direct)
            {
                if (_answers.Contains(path.Remote) || _budget.TrySpend(now, path.Remote))
                {
                    Send(attempt, path, IsEarly(now, attempt, path));
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
            attempt.Relays.ForEach(path => Send(attempt, path));
            attempt.RelayGap *= 2;
            attempt.NextRelayAt = now + attempt.RelayGap;
        }

        if (attempt.TunnelsUntil <= now)
        {
            attempt.AwaitingTunnel.Clear();
            attempt.TunnelsUntil = Instant.Never;
        }

        _wakes.Set(attempt, attempt.WakeAt);
    }

    public void Send(DialAttempt attempt, in NetworkPath path, bool isOpening = false)
    {
        if (outbox.TryReserve(path.HeaderBytes + InitiationDatagram.MaxBytes, out Span<byte> room)
            && attempt.Initiator.TryWrite(isPadded: !path.IsRelayed, room[path.HeaderBytes..], out int bytes))
        {
            path.WriteHeader(room);
            outbox.Commit(path, path.HeaderBytes + bytes, isOpening);
        }
    }

    /// <summary>A home to ask, for the owner of the sealed calls; it reports by <see cref="Connected"/> or <see cref="NotConnected"/>.</summary>
    public bool TryConnectRequest(out ConnectRequest request) => _connects.TryDequeue(out request);

    /// <summary>The home answered: answers come over the channel it opened, and our later copies go over it. False when the dial is over.</summary>
    public bool Connected(Instant now, in ConnectRequest request, ConnectAnswer answer)
    {
        DialAttempt attempt = request.Attempt;
        attempt.HomesPending--;
        if (!attempt.IsAlive)
        {
            return false;
        }

        if (answer.Status == ConnectStatus.Connected)
        {
            NetworkPath channel = new(request.Home.Endpoint, answer.Channel);
            _channels.Add(channel);
            attempt.Relays.Add(channel);
            attempt.NextRelayAt = Instant.Min(attempt.NextRelayAt, now + attempt.RelayGap);
            attempt.EarlyUntil = Instant.Min(attempt.EarlyUntil, now + EarlyTime);
        }
        else
        {
            attempt.NextHomeAt = now;
        }

        _wakes.Set(attempt, attempt.WakeAt);
        return true;
    }

    /// <summary>The home did not answer. False when the dial is over.</summary>
    public bool NotConnected(Instant now, in ConnectRequest request)
    {
        DialAttempt attempt = request.Attempt;
        attempt.HomesPending--;
        if (attempt.IsAlive)
        {
            attempt.HomeWasSilent(now, request.Home);
            _wakes.Set(attempt, attempt.WakeAt);
        }

        return attempt.IsAlive;
    }

    /// <summary>The session of this attempt came over a path: its address wants what we send, and is not somebody whom a candidate list has us flood.</summary>
    public void Answered(Instant now, DialAttempt attempt, in NetworkPath path)
    {
        TimeSpan took = now - attempt.BegunAt;
        _answerTime = _answerTime == TimeSpan.Zero ? took : ((7 * _answerTime) + took) / 8; // as RFC 6298 smooths
        if (!path.IsRelayed)
        {
            _answers.Add(now, path.Remote);
        }
    }

    public void Drop(DialAttempt attempt)
    {
        _ = _byHandshake.Remove(attempt.Initiator.HandshakeId);
        _wakes.Remove(attempt);
        attempt.Dispose();
    }

    // Without UDP, and with no home of the peer's among our tunnels.
    private void AwaitTunnels(Instant now, DialAttempt attempt, IReadOnlyList<HomeContact> named)
    {
        foreach (HomeContact home in named)
        {
            if (!attempt.HomesAsked.Contains(home) && addresses.TryWantTunnel(now, home))
            {
                attempt.AwaitingTunnel.Add(home);
                attempt.TunnelsUntil = now + WantedTunnels.Patience;
            }
        }
    }

    // One copy to where an answer very likely comes from; everywhere else only when it does not.
    private void Knock(Instant now, DialAttempt attempt)
    {
        attempt.HasKnocked = true;
        attempt.Schedule = new PunchSchedule(now + Patience);
        foreach (NetworkPath path in attempt.Direct)
        {
            if (_answers.Contains(path.Remote) && !IsEarly(now, attempt, path))
            {
                Send(attempt, path);
            }
        }
    }

    // Before the device can have heard of us over its home, what we send there would only leave a trace in its NAT, which then takes the port of
    // its own packet to us. It shall open our NAT; the device's answer comes straight through. A device that lets anybody in, that let us in a moment ago,
    // or that no home leads to, is met at once.
    private bool IsEarly(Instant now, DialAttempt attempt, in NetworkPath path) =>
        now < attempt.EarlyUntil && !attempt.HasNoHome && IsFiltered(attempt.Device.Record, path.Remote) && !_answers.IsWithin(now, path.Remote, FlowLifetime);

    // What others saw of a device and is none of its own addresses is a NAT's.
    private static bool IsFiltered(DeviceRecord record, Endpoint remote) =>
        remote.IsIPv4 && remote.Scope == AddressScope.Global && !record.Nat.IsOpen && record.Candidates.Contains(new Candidate(CandidateKind.Reflexive, remote));
}
