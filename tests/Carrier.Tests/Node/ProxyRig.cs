using Carrier.Core;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;
using Carrier.Node;
using Carrier.Node.Addresses;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;
using Carrier.Node.Serving;
using Carrier.Node.Transport;
using Carrier.Tests.Dht;

namespace Carrier.Tests.Node;

/// <summary>A home among thirty nodes of a DHT, and devices that ask it by sealed questions.</summary>
internal sealed class ProxyRig
{
    private static readonly WallClock Clock = new(new(1_000_000_000), DhtNetwork.Epoch);

    private readonly PublicServices _services;
    private readonly HashSet<Endpoint> _tunnelled = [];
    private readonly Dictionary<CallId, (RpcEffect Effect, byte[] Body)> _outcomes = [];

    public ProxyRig(HomeLimits? limits = null, bool hasIPv6 = true)
    {
        Network.Grow(30);
        Home = Network.Nodes[3];
        Outbox outbox = new(Home.Drops);
        LocalAddresses addresses = new(default, Home.Drops);
        Endpoint[] hosts = [Home.Endpoint, Nat.Addresses.Of("[2400:1::7]:4000")];
        _ = addresses.SetHosts(hosts.AsSpan(0, hasIPv6 ? 2 : 1));
        NodeOptions options = new() { Homes = limits ?? new() };
        _services = new(options, Home.Key.Public, Home.Dht, Home.Rpc, addresses, _tunnelled, new SerialFloors(), outbox, Network.Random, Home.Drops);
    }

    public DhtNetwork Network { get; } = new(31);

    public DhtNode Home { get; }

    public DhtNode AddDevice(Owners who, Endpoint? at = null)
    {
        DhtNode device = Network.Add(serves: false, at);
        byte[] message = new byte[HomeProof.Bytes];
        byte[] signature = new byte[HomeProof.SignatureBytes];
        HomeProof.Write(message, HomeMethod.Register, Home.Key.Public, DhtNetwork.Epoch);
        who.Device.Sign(HomeSignature.Context, message, signature);
        byte[] body = new byte[RegisterQuestion.MaxBytes];
        int bytes = new RegisterQuestion { Delegation = who.Delegation.Encoded.Span, Time = DhtNetwork.Epoch, Signature = signature }.Encode(body);
        CallId call = Ask(device, HomeMethod.Register, body.AsSpan(0, bytes));
        Run();
        Assert.True(RegisterAnswer.TryParse(Answer(call), out RegisterAnswer answer));
        Assert.Equal(RegisterStatus.Done, answer.Status);
        return device;
    }

    /// <summary>Has the home reach a device by a tunnel from now on.</summary>
    public void Tunnel(DhtNode device) => _tunnelled.Add(device.Endpoint);

    public CallId Ask(DhtNode device, HomeMethod method, ReadOnlySpan<byte> body)
    {
        Assert.True(device.Rpc.TryAsk(Network.Now, Home.Key.Public, Home.Endpoint, (int)method, body, AskOptions.Slow, out CallId call));
        return call;
    }

    public CallId Get(DhtNode device, Owners who, DhtKey target, byte skip = 0)
    {
        byte[] body = new byte[ProxyGetQuestion.MaxBytes];
        return Ask(device, HomeMethod.ProxyGet, body.AsSpan(0, new ProxyGetQuestion(who.Device.ExchangeKey, target, skip).Encode(body)));
    }

    public CallId Put(DhtNode device, DhtRecord record)
    {
        byte[] body = new byte[ProxyPutQuestion.MaxBytes];
        return Ask(device, HomeMethod.ProxyPut, body.AsSpan(0, new ProxyPutQuestion { Record = record.Encoded.Span }.Encode(body)));
    }

    /// <summary>The datagram of a question, which also goes its way.</summary>
    public byte[] Capture(DhtNode device, Func<CallId> ask)
    {
        byte[] buffer = new byte[1_500];
        _ = ask();
        Assert.True(device.Rpc.TryTransmit(Network.Now, buffer, out Transmit transmit));
        Network.Send(device.Endpoint, Home.Endpoint, buffer.AsSpan(0, transmit.Bytes));
        return buffer[..transmit.Bytes];
    }

    /// <summary>Runs the network, the home and its devices; long enough for a lookup unless told otherwise.</summary>
    public void Run(double seconds = 2)
    {
        Instant end = Network.Now + TimeSpan.FromSeconds(seconds);
        while (Network.Now < end)
        {
            Network.Run(TimeSpan.FromMilliseconds(10));
            while (Home.Rpc.TryEffect(out RpcEffect effect))
            {
                _services.Answer(Network.Now, Clock, effect.Question, effect.Body.Span);
            }

            while (Home.Dht.TryEffect(out DhtEffect? effect))
            {
                _ = _services.TryTake(Network.Now, effect);
            }

            _services.HandleTimeout(Network.Now);
            foreach (DhtNode device in Network.Nodes.Where(node => node != Home))
            {
                while (device.Rpc.TryEffect(out RpcEffect effect))
                {
                    _outcomes[effect.Call] = (effect, effect.Body.ToArray());
                }
            }
        }
    }

    public bool IsOver(CallId call) => _outcomes.ContainsKey(call);

    /// <summary>The body of the home's answer.</summary>
    public byte[] Answer(CallId call)
    {
        Assert.Equal(RpcEffectKind.Answered, _outcomes[call].Effect.Kind);
        return _outcomes[call].Body;
    }

    public Refusal RefusalOf(CallId call) => _outcomes[call].Effect.Refusal;

    /// <summary>The records of a page, as encoded.</summary>
    public List<byte[]> Records(CallId call, out bool more)
    {
        Assert.True(ProxyGetAnswer.TryParse(Answer(call), out ProxyGetAnswer answer));
        List<byte[]> records = [];
        Core.Wire.CborReader reader = new(answer.Records);
        while (reader.TryReadRaw(out ReadOnlySpan<byte> record))
        {
            records.Add(record.ToArray());
        }

        more = answer.HasMore;
        return records;
    }

    public int StoredBy(CallId call)
    {
        Assert.True(ProxyPutAnswer.TryParse(Answer(call), out ProxyPutAnswer answer));
        return answer.Stored;
    }
}
