using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Dht;
using Carrier.Dht.Rpc;
using Carrier.Nat;
using Carrier.Node.Addresses;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;
using Carrier.Node.Relay;
using Carrier.Node.Transport;

namespace Carrier.Node.Serving;

/// <summary>What a serving node does for others: answers STUN, keeps devices registered, relays between them, looks up and puts for them.</summary>
internal sealed class PublicServices
{
    private readonly RpcMachine _rpc;
    private readonly StunServer _stun;
    private readonly HomeServer _homes;
    private readonly Knocks _knocks;
    private readonly DelayedKnocks _delayedKnocks;
    private readonly SerialFloors _floors;
    private readonly Outbox _outbox;
    private readonly DhtProxy _proxy;
    private readonly byte[] _answer = new byte[HomeServer.MaxAnswerBytes];

    public PublicServices(
        NodeOptions options, PublicKey transportKey, DhtMachine dht, RpcMachine rpc, LocalAddresses addresses, IReadOnlySet<Endpoint> tunnelled, SerialFloors floors, Outbox outbox, RandomSource random, DropCounters drops)
    {
        _rpc = rpc;
        _outbox = outbox;
        _knocks = new Knocks(outbox, random, drops);
        _floors = floors;
        _stun = new StunServer(random, drops);
        Relay = new RelayMachine(options.Relay, random, drops);
        _homes = new HomeServer(transportKey, Verify, Relay, options.Homes, random, drops);
        _delayedKnocks = new DelayedKnocks(_homes, _knocks, drops);
        _proxy = new DhtProxy(dht, rpc, _homes, addresses, tunnelled, floors, options.Homes, random, drops);
    }

    public RelayMachine Relay { get; }

    public int Registrations => _homes.RegistrationCount;

    /// <summary>Whether new registrations are declined: the node is about to stop.</summary>
    public bool IsDraining { get; set; }

    public Instant NextDeadline => Instant.Min(Instant.Min(_homes.NextDeadline, _delayedKnocks.NextDeadline), Instant.Min(_proxy.NextDeadline, Relay.NextDeadline));

    public void HandleTimeout(Instant now)
    {
        _homes.HandleTimeout(now);
        _delayedKnocks.HandleTimeout(now);
        _proxy.HandleTimeout(now);
        if (Relay.NextDeadline <= now)
        {
            Relay.HandleTimeout(now);
        }
    }

    public void HandleStun(Instant now, Endpoint remote, ReadOnlySpan<byte> request)
    {
        if (_outbox.TryReserve(StunServer.MaxAnswerBytes, out Span<byte> room) && _stun.TryAnswer(now, remote, request, room, out int bytes))
        {
            _outbox.Commit(new NetworkPath(remote), bytes);
        }
    }

    /// <summary>Answers a sealed question of a home's methods.</summary>
    public void Answer(Instant now, in WallClock clock, in Question question, ReadOnlySpan<byte> body)
    {
        var method = (HomeMethod)question.Method;
        if (method is < HomeMethod.Register or > HomeMethod.KnockLater)
        {
            _ = _rpc.Refuse(now, question, Refusal.UnknownMethod);
            return;
        }

        if (!question.AddressProven)
        {
            _ = _rpc.Refuse(now, question, Refusal.AddressNotProven);
            return;
        }

        if (IsDraining && method != HomeMethod.Unregister)
        {
            _ = _rpc.Refuse(now, question, Refusal.Busy);
            return;
        }

        if (method is HomeMethod.ProxyGet or HomeMethod.ProxyPut)
        {
            _proxy.Answer(now, clock.At(now), question, body);
            return;
        }

        int bytes = method switch
        {
            HomeMethod.Knock => _knocks.Answer(now, question.Remote, body, _answer),
            HomeMethod.KnockLater => _delayedKnocks.Answer(now, question.Remote, body, _answer),
            _ => _homes.Answer(now, clock.At(now), question.Remote, method, body, _answer),
        };
        _ = bytes > 0 ? _rpc.Answer(now, question, _answer.AsSpan(0, bytes)) : _rpc.Refuse(now, question, Refusal.Malformed);
    }

    /// <summary>Takes what came of a lookup or put for a device; false when it is this node's own.</summary>
    public bool TryTake(Instant now, DhtEffect effect) => _proxy.TryTake(now, effect);

    private bool Verify(ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, UnixTime wall, out ProvenDevice device)
    {
        device = default;
        if (!Delegation.TryParse(encoded, out Delegation? delegation)
            || delegation.Verify(wall, _floors.Of(delegation.TrustId)) != DelegationVerdict.Valid
            || !delegation.Permits(DelegationUses.Session)
            || !DeviceKeys.Verify(delegation.SigningKey, HomeSignature.Context, message, signature))
        {
            return false;
        }

        Span<byte> owner = stackalloc byte[TrustId.Bytes];
        delegation.TrustId.CopyTo(owner);
        device = new ProvenDevice(delegation.ExchangeKey, BinaryPrimitives.ReadUInt128BigEndian(owner));
        return true;
    }
}
