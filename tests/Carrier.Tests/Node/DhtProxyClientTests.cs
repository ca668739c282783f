using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Tests.Dht;
using Carrier.Tests.Node.Homes;

namespace Carrier.Tests.Node;

/// <summary>A device with IPv6 alone, whose only DHT node in reach names nodes that advertise IPv4, and whose three homes are played by the test.</summary>
public sealed class DhtProxyClientTests
{
    private static readonly string[] HomeAddresses = ["[2400:11::1]:1", "[2400:12::1]:1", "[2400:13::1]:1"];

    private readonly DhtNetwork _network = new(41);
    private readonly DhtNode _node;
    private readonly HomeMachine _homes;
    private readonly DhtProxyClient _client;
    private readonly Owners _own = new(1, 1);
    private readonly SignedRecord _wanted = new Owners(2, 1).Sign(1, "wanted");

    public DhtProxyClientTests()
    {
        _network.Grow(25);
        DhtNode inReach = _network.Add(serves: true, Nat.Addresses.Of("[2400:1::1]:4000"));
        inReach.AddSeed(_network.Nodes[0]);
        _node = _network.Add(serves: false, Nat.Addresses.Of("[2400:2::1]:4000"), new DhtOptions { ReachesIPv4 = false });
        _node.AddSeed(inReach);
        _node.Dht.HasProxies = true;
        _network.Run(TimeSpan.FromSeconds(10));
        while (_node.Dht.TryEffect(out _))
        {
        }

        FakeDevice device = new(1);
        _homes = new(
            device.Delegation, (message, signature) => FakeDevice.Sign(device.Delegation, message, signature),
            new(Instant.Zero, DhtNetwork.Epoch), _network.Random, new());
        _client = new(_node.Dht, _homes, _own.Device.ExchangeKey);
        RegisterHomes();
    }

    [Fact]
    public void Home_that_forges_or_answers_beside_the_question_is_not_believed_and_the_next_is_asked()
    {
        byte[] forged = _wanted.Encoded.ToArray();
        forged[^1] ^= 1;
        Assert.True(DhtRecord.TryParse(forged, out DhtRecord? lie));
        DhtOperation get = Get(_wanted.Target);
        Tell(Next(HomeMethod.ProxyGet, 0), more: false, lie, new Owners(3, 1).Sign(1, "another's"), ImmutableRecord.Create([1]));
        _client.Answered(_network.Now, Next(HomeMethod.ProxyGet, 1), [0xFF]);
        Tell(Next(HomeMethod.ProxyGet, 2), more: false, _wanted);
        Assert.Equal([_wanted.Encoded.ToArray()], Finished(get).Records.Select(record => record.Encoded.ToArray()));
    }

    [Fact]
    public void First_home_that_tells_a_genuine_record_is_the_last_asked()
    {
        DhtOperation get = Get(_wanted.Target);
        Tell(Next(HomeMethod.ProxyGet, 0), more: false);
        Tell(Next(HomeMethod.ProxyGet, 1), more: false, _wanted);
        Assert.False(_client.TryRequest(out _));
        Assert.Single(Finished(get).Records);
    }

    [Theory]
    [InlineData(Refusal.UnknownMethod)]
    [InlineData(Refusal.NotServing)]
    [InlineData(Refusal.Busy)]
    [InlineData(Refusal.None)]
    public void Homes_that_will_not_or_do_not_answer_leave_what_the_device_found_itself(Refusal refusal)
    {
        DhtOperation get = Get(_wanted.Target);
        for (int home = 0; home < HomeAddresses.Length; home++)
        {
            _client.Failed(_network.Now, Next(HomeMethod.ProxyGet, home), refusal);
        }

        DhtEffect finished = Finished(get);
        Assert.Empty(finished.Records);
        Assert.NotEmpty(finished.Contacts);
    }

    [Fact]
    public void Home_that_no_longer_knows_the_device_is_registered_at_again()
    {
        _ = Get(_wanted.Target);
        ProxyErrand errand = Next(HomeMethod.ProxyGet, 0);
        _client.Failed(_network.Now, errand, Refusal.NotAuthorized);
        Assert.True(_homes.TryEffect(out HomeEffect ask));
        Assert.Equal((HomeEffectKind.Ask, HomeMethod.Register, Nat.Addresses.Of(HomeAddresses[0])), (ask.Kind, ask.Method, ask.Home.Endpoint));
    }

    [Fact]
    public void Home_that_always_has_more_is_left_after_a_bound()
    {
        DhtOperation get = Get(_wanted.Target);
        int pages = 0;
        while (_client.TryRequest(out ProxyErrand? errand))
        {
            Assert.Equal(HomeAddresses[0], errand.Home.Endpoint.ToString());
            Tell(errand, more: true, _wanted, _wanted);
            pages++;
        }

        Assert.Equal(DhtProxyClient.MaxTold / 2, pages);
        Assert.Single(Finished(get).Records);
    }

    [Fact]
    public void Record_is_stored_by_two_homes_and_one_that_stored_nothing_does_not_count()
    {
        SignedRecord record = _own.Sign(1, "own");
        Assert.True(_node.Dht.TryPut(_network.Now, record, null, out DhtOperation put));
        BeginWhatIsOutOfReach();
        Store(Next(HomeMethod.ProxyPut, 0), 0);
        Store(Next(HomeMethod.ProxyPut, 1), 20);
        Store(Next(HomeMethod.ProxyPut, 2), 18);
        DhtEffect finished = _network.Finish(_node, put, DhtEffectKind.PutFinished);
        Assert.InRange(finished.StoredCount, 20, 21); // the node in reach may keep it too
        Assert.False(_client.TryRequest(out _));
    }

    [Fact]
    public void Four_homes_are_asked_at_once_and_the_rest_in_turn()
    {
        DhtOperation[] gets = [.. Enumerable.Range(0, 6).Select(i => Get(new Owners((byte)(10 + i), 1).Sign(1, "x").Target))];
        ProxyErrand[] asked = [.. Enumerable.Range(0, DhtProxyClient.MaxAsked).Select(_ => Next(HomeMethod.ProxyGet, 0))];
        Assert.False(_client.TryRequest(out _));
        Tell(asked[0], more: false, new Owners(10, 1).Sign(1, "x"));
        Assert.Equal(gets[4], Next(HomeMethod.ProxyGet, 0).Operation);
        Assert.False(_client.TryRequest(out _));
    }

    [Fact]
    public void Without_homes_the_operation_ends_at_once()
    {
        _homes.SetRoutes(_network.Now, ipv4: true, ipv6: false);
        DhtOperation get = Get(_wanted.Target);
        Assert.False(_client.TryRequest(out _));
        Assert.Empty(Finished(get).Records);
    }

    private DhtOperation Get(DhtKey target)
    {
        Assert.True(_node.Dht.TryGet(_network.Now, target, thorough: false, out DhtOperation operation));
        BeginWhatIsOutOfReach();
        return operation;
    }

    private void BeginWhatIsOutOfReach()
    {
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.True(_node.Dht.TryEffect(out DhtEffect? effect));
        Assert.Equal(DhtEffectKind.OutOfReach, effect.Kind);
        _client.Begin(_network.Now, effect);
    }

    private ProxyErrand Next(HomeMethod method, int home)
    {
        Assert.True(_client.TryRequest(out ProxyErrand? errand));
        Assert.Equal((method, HomeAddresses[home]), (errand.Method, errand.Home.Endpoint.ToString()));
        return errand;
    }

    private void Tell(ProxyErrand errand, bool more, params DhtRecord[] records)
    {
        byte[] body = new byte[1_400];
        int bytes = ProxyGetAnswer.Encode(records, 0, body);
        body[bytes - 1] = more ? (byte)0xF5 : (byte)0xF4; // the last item is the boolean
        _client.Answered(_network.Now, errand, body.AsSpan(0, bytes));
    }

    private void Store(ProxyErrand errand, byte nodes)
    {
        byte[] body = new byte[ProxyPutAnswer.MaxBytes];
        _client.Answered(_network.Now, errand, body.AsSpan(0, new ProxyPutAnswer(nodes).Encode(body)));
    }

    private DhtEffect Finished(DhtOperation operation) => _network.Finish(_node, operation);

    private void RegisterHomes()
    {
        foreach (string address in HomeAddresses)
        {
            _homes.Offer(_network.Now, new HomeContact(new PublicKey(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(address))), Nat.Addresses.Of(address)), TimeSpan.FromMilliseconds(10));
        }

        _homes.HandleTimeout(_network.Now + HomeMachine.GatherTime);
        byte[] body = new byte[RegisterAnswer.MaxBytes];
        while (_homes.TryEffect(out HomeEffect effect))
        {
            if (effect.Kind == HomeEffectKind.Ask)
            {
                int bytes = new RegisterAnswer(RegisterStatus.Done, HomeServer.Lease, _node.Endpoint, DhtNetwork.Epoch).Encode(body);
                _homes.Answered(_network.Now, effect.Home.Key, body.AsSpan(0, bytes), TimeSpan.FromMilliseconds(10));
            }
        }
    }
}
