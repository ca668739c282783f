using Carrier.Core;
using Carrier.Nat.PortMapping.Pcp;

namespace Carrier.Nat.PortMapping.NatPmp;

/// <summary>NAT-PMP's side of a mapping (RFC 6886): the external address to find and check the gateway, then the mapping itself.</summary>
internal sealed class NatPmpProtocol(GatewayRoute route, DropCounters drops) : MappingProtocol(route)
{
    private const ushort UnsupportedVersion = 1;

    private GatewayEpoch _epoch;
    private RequestTimer _timer;
    private NatPmpOpcode _asked;
    private TimeSpan _lifetime;
    private Endpoint _address;
    private bool _isUnanswered;

    public override PortMappingKind Kind => PortMappingKind.NatPmp;

    public override Instant NextDeadline => _timer.NextDeadline;

    public override void Probe(Instant now, int sends)
    {
        State = MappingState.Probing;
        Ask(now, NatPmpOpcode.ExternalAddress, sends);
    }

    public override void Map(Instant now)
    {
        State = MappingState.Mapping;
        _lifetime = RequestedLifetime;
        Ask(now, NatPmpOpcode.MapUdp);
    }

    public override void Check(Instant now) => Ask(now, NatPmpOpcode.ExternalAddress);

    public override void Release(Instant now)
    {
        State = MappingState.Mapping;
        _lifetime = TimeSpan.Zero;
        Ask(now, NatPmpOpcode.MapUdp);
    }

    public override void Abandon() => _timer.Stop();

    public void Handle(Instant now, ReadOnlySpan<byte> datagram)
    {
        if (!NatPmpAnswer.TryParse(datagram, out NatPmpAnswer answer))
        {
            drops.Count(DropReason.Malformed);
            return;
        }

        // A gateway of NAT-PMP alone answers PCP's question so: it says nothing about ours.
        bool isMap = answer.Opcode == NatPmpOpcode.MapUdp;
        if (!_isUnanswered || answer.Result == UnsupportedVersion || answer.Opcode != _asked || (isMap && answer.Succeeded && answer.InternalPort != Route.Client.Port))
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
        else if (!isMap)
        {
            TakeAddress(answer);
        }
    }

    public override bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        transmit = default;
        if (!_timer.IsDue(now))
        {
            return false;
        }

        int bytes = _asked == NatPmpOpcode.MapUdp
            ? NatPmpRequest.WriteMap(buffer, Route.Client.Port, _lifetime == TimeSpan.Zero ? (ushort)0 : External.Port, _lifetime)
            : NatPmpRequest.WriteExternalAddress(buffer);
        _timer.Sent(now);
        transmit = new Transmit(new NetworkPath(Route.Gateway.WithPort(PcpRequest.ServerPort)), bytes, bytes);
        return bytes > 0;
    }

    private void TakeAddress(in NatPmpAnswer answer)
    {
        HasForgotten |= State == MappingState.Mapped && answer.Succeeded && answer.External != _address;
        _address = answer.External;
        if (State != MappingState.Probing)
        {
            return;
        }

        // Known before anything is asked for: a mapping on a gateway behind another NAT would lead nowhere.
        IsDoubleNat = answer.Succeeded && _address.Scope != AddressScope.Global;
        State = answer.Succeeded && !IsDoubleNat ? MappingState.Offered : MappingState.Refused;
    }

    private void TakeMap(Instant now, in NatPmpAnswer answer)
    {
        if (_lifetime == TimeSpan.Zero)
        {
            State = MappingState.Idle;
        }
        else if (answer.Succeeded)
        {
            Take(now, _address.WithPort(answer.External.Port), answer.Lifetime);
        }
        else
        {
            Refuse();
        }
    }

    private void Ask(Instant now, NatPmpOpcode opcode, int sends = RequestTimer.MaxSends)
    {
        _asked = opcode;
        _isUnanswered = true;
        _timer.Start(now, sends);
    }
}
