using Carrier.Core;

namespace Carrier.Nat.PortMapping.Pcp;

/// <summary>The Port Control Protocol's side of a mapping (RFC 6887): ANNOUNCE to find and check the server, MAP to make, prolong and delete.</summary>
/// <param name="route">Whom to ask, for what.</param>
/// <param name="nonce">The same for every attempt at one gateway: it is how the gateway knows whose a mapping is.</param>
/// <param name="drops">Counts what is not used.</param>
internal sealed class PcpProtocol(GatewayRoute route, PcpNonce nonce, DropCounters drops) : MappingProtocol(route)
{
    private GatewayEpoch _epoch;
    private RequestTimer _timer;
    private PcpRequest _request;
    private bool _isUnanswered;

    public override PortMappingKind Kind => PortMappingKind.Pcp;

    public override Instant NextDeadline => _timer.NextDeadline;

    public override void Probe(Instant now, int sends)
    {
        State = MappingState.Probing;
        Ask(now, PcpRequest.Announce(Route.Client), sends);
    }

    public override void Map(Instant now)
    {
        State = MappingState.Mapping;
        Ask(now, new PcpRequest(PcpOpcode.Map, RequestedLifetime, Route.Client, nonce, External));
    }

    public override void Check(Instant now) => Ask(now, PcpRequest.Announce(Route.Client));

    public override void Release(Instant now)
    {
        State = MappingState.Mapping;
        Ask(now, new PcpRequest(PcpOpcode.Map, TimeSpan.Zero, Route.Client, nonce, default));
    }

    public override void Abandon() => _timer.Stop();

    public void Handle(Instant now, ReadOnlySpan<byte> datagram)
    {
        if (!PcpAnswer.TryParse(datagram, out PcpAnswer answer))
        {
            drops.Count(DropReason.Malformed);
            return;
        }

        bool isMap = answer.Opcode == PcpOpcode.Map;
        if (!_isUnanswered || answer.Opcode != _request.Opcode || (isMap && (answer.Nonce != nonce || answer.InternalPort != Route.Client.Port)))
        {
            drops.Count(DropReason.Unsolicited);
            return;
        }

        HasForgotten |= !_epoch.Continues(now, answer.Epoch);
        _isUnanswered = false;
        _timer.Stop();
        if (isMap && State == MappingState.Mapping)
        {
            TakeMap(now, answer);
        }
        else if (State == MappingState.Probing)
        {
            // A server without ANNOUNCE says so, and is a server.
            State = answer.Result is PcpResult.Success or PcpResult.UnsupportedOpcode ? MappingState.Offered : MappingState.Refused;
        }
    }

    public override bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        transmit = default;
        if (!_timer.IsDue(now))
        {
            return false;
        }

        int bytes = _request.Write(buffer);
        _timer.Sent(now);
        transmit = new Transmit(new NetworkPath(Route.Gateway.WithPort(PcpRequest.ServerPort)), bytes, bytes);
        return bytes > 0;
    }

    private void TakeMap(Instant now, in PcpAnswer answer)
    {
        if (_request.Lifetime == TimeSpan.Zero)
        {
            State = MappingState.Idle; // deleted, or it never was
        }
        else if (answer.Result == PcpResult.Success)
        {
            Take(now, answer.External, answer.Lifetime);
        }
        else
        {
            Refuse();
        }
    }

    private void Ask(Instant now, in PcpRequest request, int sends = RequestTimer.MaxSends)
    {
        _request = request;
        _isUnanswered = true;
        _timer.Start(now, sends);
    }
}
