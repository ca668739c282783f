using Carrier.Core;

namespace Carrier.Nat.PortMapping.Upnp;

/// <summary>UPnP IGD's side of a mapping: SSDP search, description, external address, mapping. Each step but the first is an HTTP exchange with the gateway.</summary>
/// <remarks>Description and control are only fetched from the gateway's own address, whatever the search's answer or the description name.</remarks>
internal sealed class UpnpProtocol(GatewayRoute route, RandomSource random, DropCounters drops) : MappingProtocol(route)
{
    /// <summary>Ports tried while the gateway says they are taken.</summary>
    public const int MaxPortTries = 4;

    private const int Ok = 200;

    /// <summary>Ports from 1,024 up, so that nobody's well-known service is shadowed.</summary>
    private const int LeastPort = 1024;

    private enum Step
    {
        None,
        Searching,
        Describing,
        ExternalAddress,
        Adding,
        Deleting,
    }

    private Step _step;
    private RequestTimer _timer;
    private bool _isGroupNext;
    private IgdDescription _igd;
    private GatewayAddress _location;
    private Endpoint _address;
    private ushort _port;
    private int _portTries;
    private bool _isPermanent;
    private bool _asksAnyPort;
    private ulong _exchange;
    private HttpExchange? _toDo;

    public override PortMappingKind Kind => PortMappingKind.Upnp;

    /// <summary>A permanent mapping is looked after as one of this length.</summary>
    public static TimeSpan PermanentLifetime => TimeSpan.FromMinutes(20);

    public override Instant NextDeadline => _timer.NextDeadline;

    public override void Probe(Instant now, int sends)
    {
        State = MappingState.Probing;
        _step = Step.Searching;
        _isGroupNext = true;
        _timer.Start(now, sends);
    }

    public override void Map(Instant now)
    {
        State = MappingState.Mapping;
        _port = External.Port != 0 ? External.Port : _port != 0 ? _port : Route.Client.Port;
        _portTries = 0;
        _asksAnyPort = _igd.Service == IgdService.WanIpConnection2;
        Begin(Step.ExternalAddress, _igd.Control, IgdCall.GetExternalAddress(_igd));
    }

    // There is no epoch to look at; the mapping is asked for again often instead.
    public override void Check(Instant now)
    {
    }

    public override void Release(Instant now)
    {
        State = MappingState.Mapping;
        Begin(Step.Deleting, _igd.Control, IgdCall.DeleteMapping(_igd, External.Port != 0 ? External.Port : _port));
    }

    public override void Abandon()
    {
        _timer.Stop();
        _step = Step.None;
        _toDo = null;
    }

    /// <summary>Takes an answer to the search. The first from the gateway that names a description there counts.</summary>
    public void Handle(ReadOnlySpan<byte> datagram)
    {
        if (_step != Step.Searching || !SsdpAnswer.TryParse(datagram, out SsdpAnswer answer))
        {
            drops.Count(_step == Step.Searching ? DropReason.Malformed : DropReason.Unsolicited);
            return;
        }

        if (!Route.IsGateway(answer.Location.Host))
        {
            drops.Count(DropReason.ScopeMismatch);
            return;
        }

        _timer.Stop();
        _location = answer.Location;
        Begin(Step.Describing, _location, IgdCall.GetDescription(_location));
    }

    /// <summary>Takes the end of an exchange; status zero when it failed.</summary>
    public void HandleExchange(Instant now, ulong id, int status, ReadOnlySpan<byte> body)
    {
        if (id != _exchange || _step is Step.None or Step.Searching)
        {
            return; // given up meanwhile
        }

        Step step = _step;
        _step = Step.None;
        switch (step)
        {
            case Step.Describing:
                Describe(status, body);
                break;
            case Step.ExternalAddress:
                TakeAddress(status, body);
                break;
            case Step.Adding:
                TakeAdded(now, status, body);
                break;
            case Step.Deleting when State == MappingState.Mapping:
                State = MappingState.Idle;
                break;
            default:
                break; // given back what led nowhere: it stays refused
        }
    }

    public bool TryTakeExchange(out HttpExchange exchange)
    {
        exchange = _toDo ?? default;
        bool any = _toDo is not null;
        _toDo = null;
        return any;
    }

    public override bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        transmit = default;
        ReadOnlySpan<byte> search = SsdpSearch.Message;
        if (!_timer.IsDue(now) || buffer.Length < search.Length)
        {
            return false;
        }

        search.CopyTo(buffer);
        Endpoint to = _isGroupNext ? Endpoint.FromIPv4(SsdpSearch.Group, SsdpSearch.Port) : Route.Gateway.WithPort(SsdpSearch.Port);
        transmit = new Transmit(new NetworkPath(to), search.Length, search.Length);
        _isGroupNext = !_isGroupNext;
        if (_isGroupNext)
        {
            _timer.Sent(now); // one round is to the group and to the gateway
        }

        return true;
    }

    private void Describe(int status, ReadOnlySpan<byte> body)
    {
        if (status != Ok || !IgdDescription.TryParse(body, _location, out _igd))
        {
            Refuse();
        }
        else if (!Route.IsGateway(_igd.Control.Host))
        {
            drops.Count(DropReason.ScopeMismatch);
            Refuse();
        }
        else
        {
            State = MappingState.Offered;
        }
    }

    private void TakeAddress(int status, ReadOnlySpan<byte> body)
    {
        if (status != Ok || !IgdAnswer.TryParse(body, out IgdAnswer answer) || answer.ExternalAddress.Scope != AddressScope.Global)
        {
            IsDoubleNat = status == Ok;
            Refuse();
            return;
        }

        _address = answer.ExternalAddress;
        Add();
    }

    private void Add()
    {
        TimeSpan lease = _isPermanent ? TimeSpan.Zero : RequestedLifetime;
        Begin(Step.Adding, _igd.Control, IgdCall.AddMapping(_igd, Route.Client, _port, lease, _asksAnyPort));
    }

    private void TakeAdded(Instant now, int status, ReadOnlySpan<byte> body)
    {
        bool isRead = IgdAnswer.TryParse(body, out IgdAnswer answer);
        if (status == Ok && isRead)
        {
            _port = _asksAnyPort && answer.ReservedPort != 0 ? answer.ReservedPort : _port;
            Take(now, _address.WithPort(_port), _isPermanent ? PermanentLifetime : RequestedLifetime);
            return;
        }

        switch (answer.ErrorCode)
        {
            case IgdAnswer.InvalidAction when _asksAnyPort:
                _asksAnyPort = false;
                Add();
                break;
            case IgdAnswer.OnlyPermanentLeases when !_isPermanent:
                _isPermanent = true;
                Add();
                break;
            case IgdAnswer.ConflictInMappingEntry or IgdAnswer.ConflictWithOtherMechanisms or IgdAnswer.SamePortValuesRequired when ++_portTries < MaxPortTries:
                _port = answer.ErrorCode == IgdAnswer.SamePortValuesRequired ? Route.Client.Port : (ushort)(LeastPort + random.NextInt32(65536 - LeastPort));
                Add();
                break;
            default:
                Refuse();
                break;
        }
    }

    private void Begin(Step step, in GatewayAddress at, byte[] request)
    {
        _step = step;
        _toDo = new HttpExchange(++_exchange, at.Host, request);
    }
}
