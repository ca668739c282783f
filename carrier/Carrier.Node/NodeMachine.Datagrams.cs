using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Rpc;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Sessions;

namespace Carrier.Node;

/// <content>Where each datagram goes, and what the machines hand each other.</content>
public sealed partial class NodeMachine
{
    /// <summary>STUN messages begin with two zero bits (RFC 8489 §5).</summary>
    private const byte LastStunByte = 0x03;

    /// <summary>Resets examined a second: true ones are rare.</summary>
    private static readonly TokenRate ResetRate = new(50, 50);

    /// <summary>Resets sent a second, so that garbage does not make us talk.</summary>
    private static readonly TokenRate ResetAnswerRate = new(100, 100);

    private TokenBucket _resets;
    private TokenBucket _resetAnswers;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void HandleDatagram(Instant now, in NetworkPath path, Span<byte> datagram, EcnCodepoint ecn)
    {
        if (datagram.IsEmpty || path.Remote.Port == 0)
        {
            Drops.Count(DropReason.Malformed);
            return;
        }

        switch ((PacketKind)datagram[0])
        {
            case PacketKind.SessionPhase0 or PacketKind.SessionPhase1:
                HandleSessionPacket(now, path, datagram, ecn);
                break;
            case PacketKind.SealedQuestion or PacketKind.SealedAnswer when !path.IsRelayed:
                _dht.Handle(now, path.Remote, datagram);
                break;
            case PacketKind.HandshakeInitiation when _acceptor is not null:
                _acceptor.Handle(now, Clock, path, datagram);
                break;
            case PacketKind.HandshakeResponse or PacketKind.HandshakeRetry when _dialer is not null:
                _dialer.Handle(now, Clock, path, datagram);
                break;
            case PacketKind.SessionReset:
                HandleReset(now, datagram);
                break;
            case <= (PacketKind)LastStunByte when !path.IsRelayed:
                HandleStun(now, path.Remote, datagram);
                break;
            default:
                Drops.Count(DropReason.UnknownKind);
                break;
        }
    }

    // A socket of its own serves to meet one peer: sessions, and STUN to learn its port.
    private void HandleDatagramAt(Instant now, in NetworkPath path, Span<byte> datagram)
    {
        if (datagram.IsEmpty || path.Remote.Port == 0)
        {
            Drops.Count(DropReason.Malformed);
        }
        else if ((PacketKind)datagram[0] is PacketKind.SessionPhase0 or PacketKind.SessionPhase1)
        {
            _ = _sessions.TryHandle(now, path, datagram, EcnCodepoint.NotCapable, out _);
        }
        else if (datagram[0] > LastStunByte
            || (_puncher?.TryHandleStun(now, path.Socket, path.Remote, datagram) != true && _natTest?.TryHandleStun(now, path.Socket, path.Remote, datagram) != true))
        {
            Drops.Count(DropReason.UnknownKind);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void HandleSessionPacket(Instant now, in NetworkPath path, Span<byte> packet, EcnCodepoint ecn)
    {
        if (_sessions.TryHandle(now, path, packet, ecn, out _) || !_resetAnswers.TrySpend(now, ResetAnswerRate)
            || !_outbox.TryReserve(path.HeaderBytes + SessionPacket.ResetBytes, out Span<byte> room))
        {
            return;
        }

        int bytes = _sessions.WriteReset(packet, room[path.HeaderBytes..]);
        if (bytes > 0)
        {
            path.WriteHeader(room);
            _outbox.Commit(path, path.HeaderBytes + bytes);
        }
    }

    // Datagrams of one channel. Ours when it came over a channel we dialled through or from one of our homes; else it is somebody's that this node relays for.
    private void HandleRelayed(Instant now, Endpoint remote, Span<byte> train, int segmentBytes)
    {
        int firstBytes = Math.Min(segmentBytes, train.Length);
        if (firstBytes <= NetworkPath.RelayHeaderBytes)
        {
            Drops.Count(DropReason.Malformed);
            return;
        }

        NetworkPath path = new(remote, BinaryPrimitives.ReadUInt64BigEndian(train[1..]));
        bool isOurs = _homes is not null || (_dialer?.IsChannel(path) ?? false);
        if (!isOurs)
        {
            _services?.Relay.Handle(now, remote, train, segmentBytes);
            return;
        }

        for (int offset = 0; offset < train.Length; offset += segmentBytes)
        {
            Span<byte> datagram = train.Slice(offset, Math.Min(segmentBytes, train.Length - offset));
            HandleInner(now, path, datagram[NetworkPath.RelayHeaderBytes..]);
        }
    }

    private void HandleInner(Instant now, in NetworkPath path, Span<byte> inner)
    {
        bool introduces = inner[0] == (byte)PacketKind.HandshakeInitiation;
        if (path.RelayChannel == 0 || (introduces && _homes?.IsHome(path.Remote) != true))
        {
            Drops.Count(DropReason.NotAuthorized);
            return;
        }

        HandleDatagram(now, path, inner, EcnCodepoint.NotCapable); // a mark says nothing of the way before the relay
    }

    private void HandleReset(Instant now, ReadOnlySpan<byte> packet)
    {
        if (!_resets.TrySpend(now, ResetRate))
        {
            Drops.Count(DropReason.RateLimited);
        }
        else if (!_sessions.TryReset(now, packet))
        {
            Drops.Count(DropReason.UnknownSession);
        }
    }

    private void HandleStun(Instant now, Endpoint remote, ReadOnlySpan<byte> message)
    {
        if (_homes is not null && _homes.TryHandleStun(now, remote, message, out Endpoint observed))
        {
            Observe(now, remote, observed);
            if (_homes.LostMapping)
            {
                _homes.LostMapping = false;
                _mappingTest?.Restart(now);
            }
        }
        else if (_natTest?.TryTakeHairpin(message) != true)
        {
            _services?.HandleStun(now, remote, message);
        }
    }

    /// <summary>Lets the machines hand each other what the last batch or timeout brought, until nothing moves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Settle(Instant now)
    {
        _sessions.Settle(now);
        while (_sessions.TryTakeSignal(out SessionSignal signal))
        {
            Settle(now, signal);
        }

        while (_rpc.TryEffect(out RpcEffect effect))
        {
            Settle(now, effect);
        }

        SettleLookups(now);
        while (_homes is not null && _homes.TryEffect(out HomeEffect home))
        {
            if (home.Kind == HomeEffectKind.Ask)
            {
                _calls.AskHome(now, home);
            }
            else
            {
                _directory.RecordChanged(now);
                _natTest?.HomesChanged(now);
                _mappingTest?.HomesChanged(now);
            }
        }

        _calls.Ask(now);
        if (_addresses.TakeChanged())
        {
            _directory.RecordChanged(now);
            Advertise(now);
            _effects.Enqueue(new NodeEffect(NodeEffectKind.AddressesChanged));
        }

        if (_addresses.TakeNatChanged(out bool dependence))
        {
            _directory.RecordChanged(now);
            if (dependence)
            {
                _puncher?.BeginAgain(now);
            }
        }

        // A serving node is there for others at once; another one is part of the network when others can find it, or when its links are all there is.
        if (!_isReady && (_options.Serve || _directory.IsPublished || (_looksOnLinks && !_directory.ExpectsNetwork)))
        {
            _isReady = true;
            _effects.Enqueue(new NodeEffect(NodeEffectKind.Ready));
        }
    }

    private void SettleLookups(Instant now)
    {
        _directory.BeginSearches(now, Clock, _dialer);
        while (_dht.TryEffect(out DhtEffect? effect))
        {
            if (effect.Kind == DhtEffectKind.OutOfReach)
            {
                _proxies!.Begin(now, effect);
            }
            else if (_services?.TryTake(now, effect) is not true)
            {
                _directory.Take(now, Clock, effect, _dialer);
            }
        }

        _directory.LookForHomes(now);
    }

    // Live sessions hear of new addresses too: what was behind a relay may now be met directly.
    private void Advertise(Instant now)
    {
        Endpoint[] candidates = [.. _addresses.Candidates.Select(candidate => candidate.Endpoint)];
        foreach (NodeSession session in _sessions.All.ToArray())
        {
            session.Machine.Advertise(candidates);
            _sessions.Touch(now, session);
        }
    }

    // What peers named of the family that our last network lacked.
    private void RetryOutOfReach(Instant now)
    {
        foreach (NodeSession session in _sessions.All.Where(session => session.OutOfReach is not null).ToArray())
        {
            foreach (Candidate candidate in session.OutOfReach!.Where(_addresses.IsWorthTrying))
            {
                session.Machine.AddCandidatePath(now, new NetworkPath(candidate.Endpoint));
            }

            _sessions.Touch(now, session);
        }
    }

    private void Reconnect(Instant now, NodeSession session)
    {
        ulong search = _nextOperation;
        if (_dialer is not null && _dialer.TryReconnect(now, session, search))
        {
            _nextOperation++;
            if (!_directory.TrySearch(now, session.Peer, search, forDial: true))
            {
                _dialer.Resolved(now, Clock, search, [], networkAnswered: false, final: true);
            }
        }
    }

    private void Settle(Instant now, in SessionSignal signal)
    {
        switch (signal.Kind)
        {
            case SessionEffectKind.Confirmed when !signal.Session.IsRemoved:
                _puncher?.Begin(now, signal.Session);
                break;
            case SessionEffectKind.Silent when !signal.Session.IsRemoved:
                _homes?.CheckNow(now);
                Reconnect(now, signal.Session);
                break;
            case SessionEffectKind.PunchCalled when !signal.Session.IsRemoved:
                _puncher?.OnCalled(now, signal.Session);
                break;
            default:
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Settle(Instant now, in RpcEffect effect)
    {
        switch (effect.Kind)
        {
            case RpcEffectKind.Asked when _services is not null:
                _services.Answer(now, Clock, effect.Question, effect.Body.Span);
                break;
            case RpcEffectKind.Asked:
                _ = _rpc.Refuse(now, effect.Question, Refusal.NotServing);
                break;
            case RpcEffectKind.Answered:
                Observe(now, effect.Remote, effect.Observed);
                _calls.Answered(now, effect);
                break;
            case RpcEffectKind.Failed:
                _calls.Failed(now, effect);
                break;
            default:
                break;
        }
    }
}
