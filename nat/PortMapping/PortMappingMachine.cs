using Carrier.Core;
using Carrier.Nat.PortMapping.NatPmp;
using Carrier.Nat.PortMapping.Pcp;
using Carrier.Nat.PortMapping.Upnp;

namespace Carrier.Nat.PortMapping;

/// <summary>Keeps one UDP port open at the gateway: asks which of PCP, NAT-PMP and UPnP it speaks, maps by the best, renews, makes anew, deletes.</summary>
/// <remarks>
/// All three are asked at once whether they are there, which changes nothing at the gateway; the mapping is made by one of them, so that two never
/// stand there. An attempt, whatever the gateway does, ends within <see cref="AttemptPatience"/>. Pure: the shell gives it a socket of its own
/// and does its HTTP. Only bytes from the gateway's own address are looked at.
/// </remarks>
public sealed class PortMappingMachine
{
    private readonly RandomSource _random;
    private readonly DropCounters _drops;
    private readonly Queue<PortMappingEffect> _effects = new();
    private GatewayRoute _route;
    private PcpNonce _nonce;
    private MappingProtocol[] _protocols = [];
    private PcpProtocol? _pcp;
    private NatPmpProtocol? _natPmp;
    private UpnpProtocol? _upnp;
    private MappingProtocol? _chosen;
    private Phase _phase;
    private Instant _graceEnd = Instant.Never;
    private Instant _attemptEnd = Instant.Never;
    private Instant _nextAttempt = Instant.Never;
    private Instant _renewAt = Instant.Never;
    private Instant _checkAt = Instant.Never;
    private Instant _heldUntil = Instant.Never;
    private TimeSpan _backoff = FirstBackoff;
    private bool _toldDoubleNat;

    public PortMappingMachine(RandomSource random, DropCounters drops)
    {
        ArgumentNullException.ThrowIfNull(random);
        ArgumentNullException.ThrowIfNull(drops);
        (_random, _drops) = (random, drops);
    }

    private enum Phase
    {
        /// <summary>No gateway, or waiting for the next attempt.</summary>
        Resting,
        Attempting,
        Held,
        Renewing,
        Releasing,
        Released,
    }

    /// <summary>What one attempt may take, answers or not: a gateway that drips, lies or says nothing costs no more.</summary>
    public static TimeSpan AttemptPatience => TimeSpan.FromSeconds(3);

    /// <summary>How long the first offer waits for a better protocol's.</summary>
    public static TimeSpan Grace => TimeSpan.FromMilliseconds(50);

    /// <summary>After an attempt that brought nothing. Short, because a router that is merely busy is common.</summary>
    public static TimeSpan FirstBackoff => TimeSpan.FromSeconds(5);

    /// <summary>How often each protocol's question is sent in an attempt after one that brought nothing: further attempts follow, and a first one of all its sends costs 2 kB on the link.</summary>
    public const int RepeatSends = 2;

    /// <summary>How many times longer each rest is than the one before: most routers that do not answer twice never will.</summary>
    public const int BackoffFactor = 6;

    /// <summary>The longest rest: a router on which mapping was switched on meanwhile is noticed within it.</summary>
    public static TimeSpan LongestBackoff => TimeSpan.FromMinutes(30);

    /// <summary>How often a held mapping's gateway is asked for its epoch: 36 bytes each way on the local network.</summary>
    public static TimeSpan CheckInterval => TimeSpan.FromMinutes(1);

    /// <summary>A mapping by UPnP, which has no epoch, is asked for again this often at least.</summary>
    public static TimeSpan LongestUpnpRenewal => TimeSpan.FromMinutes(10);

    /// <summary>How long a leaving node waits for the gateway to confirm the deletion.</summary>
    public static TimeSpan ReleasePatience => TimeSpan.FromSeconds(1);

    /// <summary>Where the port is reached from outside; none while nothing is held.</summary>
    public Endpoint External { get; private set; }

    /// <summary>The protocol that made what is held.</summary>
    public PortMappingKind Protocol => External.IsNone ? PortMappingKind.None : _chosen!.Kind;

    /// <summary>Whether <see cref="Release"/> is over and nothing more is to be sent.</summary>
    public bool IsReleased => _phase == Phase.Released;

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(Instant.Min(_attemptEnd, _nextAttempt), Instant.Min(_graceEnd, Instant.Min(_renewAt, _checkAt)));
            foreach (MappingProtocol protocol in _protocols)
            {
                next = Instant.Min(next, protocol.NextDeadline);
            }

            return next;
        }
    }

    /// <summary>Tells which gateway to ask; null when there is none. A new one is asked at once, the one before is not told.</summary>
    public void SetRoute(Instant now, GatewayRoute? route)
    {
        GatewayRoute wanted = route ?? default;
        if (wanted == _route || _phase >= Phase.Releasing)
        {
            return;
        }

        _route = wanted;
        _backoff = FirstBackoff;
        _toldDoubleNat = false;
        _nonce = PcpNonce.New(_random);
        (_protocols, _pcp, _natPmp, _upnp, _chosen) = ([], null, null, null, null);
        Lose();
        Rest(Instant.Never);
        if (wanted != default)
        {
            BeginAttempt(now);
        }
    }

    /// <summary>Takes a datagram that arrived at the mapper's own socket.</summary>
    public void Handle(Instant now, Endpoint remote, ReadOnlySpan<byte> datagram)
    {
        if (_pcp is null || !_route.IsGateway(remote) || datagram.IsEmpty)
        {
            _drops.Count(DropReason.Unsolicited);
            return;
        }

        if (remote.Port != PcpRequest.ServerPort)
        {
            _upnp!.Handle(datagram);
        }
        else if (datagram[0] == PcpRequest.Version)
        {
            _pcp.Handle(now, datagram);
        }
        else
        {
            _natPmp!.Handle(now, datagram);
        }

        Advance(now);
    }

    /// <summary>Takes the end of an exchange the machine asked for: status and body, or status zero for no usable answer.</summary>
    public void HandleExchange(Instant now, ulong id, int status, ReadOnlySpan<byte> body)
    {
        _upnp?.HandleExchange(now, id, status, body);
        Advance(now);
    }

    public void HandleTimeout(Instant now)
    {
        if (now >= _nextAttempt)
        {
            BeginAttempt(now);
        }
        else if (_phase == Phase.Held && now >= _renewAt)
        {
            Renew(now);
        }
        else if (_phase == Phase.Held && now >= _checkAt)
        {
            _checkAt = now + CheckInterval;
            _chosen!.Check(now);
        }

        Advance(now);
    }

    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        foreach (MappingProtocol protocol in _protocols)
        {
            if (protocol.TryTransmit(now, buffer, out transmit))
            {
                return true;
            }
        }

        transmit = default;
        return false;
    }

    public bool TryEffect(out PortMappingEffect effect)
    {
        if (_upnp is not null && _upnp.TryTakeExchange(out HttpExchange exchange))
        {
            effect = new PortMappingEffect(PortMappingEffectKind.Exchange) { Exchange = exchange };
            return true;
        }

        return _effects.TryDequeue(out effect);
    }

    /// <summary>Begins to leave: what is held, or may be, is deleted. Drive on until <see cref="IsReleased"/>.</summary>
    public void Release(Instant now)
    {
        bool any = _chosen is not null;
        AbandonAllBut(null);
        Rest(Instant.Never);
        _phase = any ? Phase.Releasing : Phase.Released;
        _attemptEnd = any ? now + ReleasePatience : Instant.Never;
        _chosen?.Release(now);
        Tell(default);
    }

    private void BeginAttempt(Instant now)
    {
        _pcp = new PcpProtocol(_route, _nonce, _drops);
        _natPmp = new NatPmpProtocol(_route, _drops);
        _upnp = new UpnpProtocol(_route, _random, _drops);
        _protocols = [_pcp, _natPmp, _upnp];
        _chosen = null;
        Rest(Instant.Never);
        _phase = Phase.Attempting;
        _attemptEnd = now + AttemptPatience;
        int sends = _backoff == FirstBackoff ? RequestTimer.MaxSends : RepeatSends;
        foreach (MappingProtocol protocol in _protocols)
        {
            protocol.Probe(now, sends);
        }
    }

    private void Advance(Instant now)
    {
        switch (_phase)
        {
            case Phase.Attempting:
                Attempt(now);
                break;
            case Phase.Held when _chosen!.HasForgotten:
                Renew(now);
                break;
            case Phase.Renewing:
                Follow(now);
                break;
            case Phase.Releasing when _chosen!.State == MappingState.Idle || now >= _attemptEnd:
                Rest(Instant.Never);
                _phase = Phase.Released;
                break;
            default:
                break;
        }
    }

    private void Attempt(Instant now)
    {
        if (_chosen?.State == MappingState.Mapped)
        {
            Hold(now);
            return;
        }

        if (_chosen is null or { State: MappingState.Refused })
        {
            Choose(now);
        }

        bool isHopeless = Array.TrueForAll(_protocols, protocol => protocol.State == MappingState.Refused);
        if (isHopeless || now >= _attemptEnd)
        {
            GiveUp(now);
        }
    }

    /// <summary>Asks the best protocol on offer for the mapping, unless a better one may still speak up.</summary>
    private void Choose(Instant now)
    {
        int best = Array.FindIndex(_protocols, protocol => protocol.State == MappingState.Offered);
        if (best < 0)
        {
            return;
        }

        _graceEnd = Instant.Min(_graceEnd, now + Grace);
        bool mayImprove = Array.Exists(_protocols[..best], protocol => protocol.State == MappingState.Probing);
        if (!mayImprove || now >= _graceEnd)
        {
            _graceEnd = Instant.Never;
            _chosen = _protocols[best];
            _chosen.Map(now);
        }
    }

    private void Hold(Instant now)
    {
        AbandonAllBut(_chosen);
        Rest(Instant.Never);
        _phase = Phase.Held;
        _backoff = FirstBackoff;
        TimeSpan half = _chosen!.Lifetime / 2;
        TimeSpan renewal = _chosen.Kind == PortMappingKind.Upnp && half > LongestUpnpRenewal ? LongestUpnpRenewal : half;
        _heldUntil = now + _chosen.Lifetime;
        _renewAt = now + renewal;
        _checkAt = now + CheckInterval;
        Tell(_chosen.External);
    }

    private void Renew(Instant now)
    {
        _phase = Phase.Renewing;
        _renewAt = _checkAt = Instant.Never;
        _attemptEnd = now + AttemptPatience;
        _chosen!.Map(now);
    }

    private void Follow(Instant now)
    {
        if (_chosen!.State == MappingState.Mapped)
        {
            Hold(now);
        }
        else if (_chosen.State == MappingState.Refused)
        {
            Lose();
            BeginAttempt(now);
        }
        else if (now >= _attemptEnd)
        {
            // No answer: half of what is left, and half again (RFC 6887 §11.2.1), until it is certainly gone.
            _chosen.Abandon();
            TimeSpan left = _heldUntil - now;
            if (left < MappingProtocol.LeastLifetime)
            {
                Lose();
                BeginAttempt(now);
                return;
            }

            _phase = Phase.Held;
            _attemptEnd = Instant.Never;
            _renewAt = now + (left / 2);
        }
    }

    private void GiveUp(Instant now)
    {
        if (!_toldDoubleNat && Array.Exists(_protocols, protocol => protocol.IsDoubleNat))
        {
            _toldDoubleNat = true;
            _effects.Enqueue(new PortMappingEffect(PortMappingEffectKind.DoubleNat));
        }

        AbandonAllBut(null);

        // It may stand there all the same when only the answer was lost: it ends with its lifetime, and the next attempt asks for the same port.
        _chosen = null;
        Lose();
        Rest(now + _backoff);
        _backoff = _backoff * BackoffFactor < LongestBackoff ? _backoff * BackoffFactor : LongestBackoff;
    }

    // One that was refused may still be giving back what led nowhere.
    private void AbandonAllBut(MappingProtocol? kept)
    {
        foreach (MappingProtocol protocol in _protocols)
        {
            if (protocol != kept && protocol.State != MappingState.Refused)
            {
                protocol.Abandon();
            }
        }
    }

    private void Rest(Instant nextAttempt)
    {
        _phase = Phase.Resting;
        _nextAttempt = nextAttempt;
        _attemptEnd = _graceEnd = _renewAt = _checkAt = Instant.Never;
    }

    private void Lose() => Tell(default);

    private void Tell(Endpoint external)
    {
        if (external != External)
        {
            External = external;
            _effects.Enqueue(new PortMappingEffect(PortMappingEffectKind.Changed) { External = external, Protocol = Protocol });
        }
    }
}
