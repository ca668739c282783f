using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;
using Carrier.Node.Homes;
using Carrier.Node.Serving;
using Carrier.Tests.Dht;

namespace Carrier.Tests.Node;

public sealed class DhtProxyTests
{
    private readonly Owners _own = new(1, 1, uses: DelegationUses.All);
    private readonly Owners _other = new(2, 1, uses: DelegationUses.All);

    [Fact]
    public void Put_stores_the_record_where_it_belongs_and_get_finds_it()
    {
        ProxyRig rig = new();
        DhtNode a = rig.AddDevice(_own), b = rig.AddDevice(_other);
        SignedRecord record = _own.Sign(7, "hello", padTo: SignedRecord.MaxValueBytes);
        CallId put = rig.Put(a, record);
        rig.Run();
        int keeping = rig.Network.Nodes.Count(node => node.Dht.Store.Contains(record.Target));
        Assert.InRange(keeping, RoutingTable.K, 30);
        Assert.Equal(keeping, rig.StoredBy(put));

        CallId get = rig.Get(b, _other, record.Target), nothing = rig.Get(b, _other, DhtKey.Random(rig.Network.Random));
        rig.Run();
        Assert.Equal(record.Encoded.ToArray(), Assert.Single(rig.Records(get, out bool more)));
        Assert.False(more);
        Assert.Empty(rig.Records(nothing, out _));
    }

    [Fact]
    public void Get_brings_many_devices_in_pages()
    {
        ProxyRig rig = new();
        DhtNode device = rig.AddDevice(_other);
        SignedRecord[] records = [.. Enumerable.Range(1, 5).Select(i => new Owners(1, (byte)i).Sign(1, "x", padTo: 500))];
        foreach (SignedRecord record in records)
        {
            Assert.True(rig.Network.Nodes[9].Dht.TryPut(rig.Network.Now, record, null, out _));
            rig.Run();
        }

        List<byte[]> told = [];
        for (bool more = true; more;)
        {
            CallId page = rig.Get(device, _other, records[0].Target, (byte)told.Count);
            rig.Run(told.Count == 0 ? 2 : 0.2);
            told.AddRange(rig.Records(page, out more));
        }

        Assert.Equal(records.Select(record => Convert.ToHexString(record.Encoded.Span)).Order(), told.Select(Convert.ToHexString).Order());
    }

    [Fact]
    public void Who_is_not_registered_where_it_asks_from_is_refused()
    {
        ProxyRig rig = new();
        DhtNode device = rig.AddDevice(_own), elsewhere = rig.Network.Add(serves: false), stranger = rig.Network.Add(serves: false);
        CallId[] calls =
        [
            rig.Get(elsewhere, _own, _other.Sign(1, "x").Target),
            rig.Get(stranger, _other, _other.Sign(1, "x").Target),
            rig.Put(elsewhere, _own.Sign(1, "x")),
            rig.Put(device, _other.Sign(1, "x")),
        ];
        rig.Run();
        Assert.All(calls, call => Assert.Equal(Refusal.NotAuthorized, rig.RefusalOf(call)));
        Assert.DoesNotContain(rig.Network.Nodes, node => node.Dht.Store.Count > 0);
    }

    [Fact]
    public void Registration_that_has_expired_counts_no_more()
    {
        ProxyRig rig = new();
        DhtNode device = rig.AddDevice(_own);
        rig.Run((HomeServer.Lease - TimeSpan.FromSeconds(4)).TotalSeconds);
        CallId before = rig.Put(device, _own.Sign(1, "x"));
        rig.Run(4);
        CallId after = rig.Put(device, _own.Sign(2, "x"));
        rig.Run();
        Assert.InRange(rig.StoredBy(before), 1, 30);
        Assert.Equal(Refusal.NotAuthorized, rig.RefusalOf(after));
    }

    [Fact]
    public void Put_of_what_is_not_genuine_is_refused()
    {
        ProxyRig rig = new();
        DhtNode device = rig.AddDevice(_own);
        byte[] forged = _own.Sign(1, "genuine").Encoded.ToArray();
        forged[^1] ^= 1;
        Assert.True(DhtRecord.TryParse(forged, out DhtRecord? record));
        CallId[] calls = [rig.Put(device, record), rig.Put(device, _own.Sign(2, "x", lifetimeMinutes: 300)), rig.Put(device, ImmutableRecord.Create([1]))];
        rig.Run();
        Assert.Equal([Refusal.NotAuthorized, Refusal.NotAuthorized, Refusal.Malformed], calls.Select(rig.RefusalOf));
        Assert.DoesNotContain(rig.Network.Nodes, node => node.Dht.Store.Count > 0);
    }

    [Fact]
    public void Home_of_one_family_does_not_serve()
    {
        ProxyRig rig = new(hasIPv6: false);
        DhtNode device = rig.AddDevice(_own);
        CallId[] calls = [rig.Get(device, _own, _other.Sign(1, "x").Target), rig.Put(device, _own.Sign(1, "x"))];
        rig.Run();
        Assert.All(calls, call => Assert.Equal(Refusal.NotServing, rig.RefusalOf(call)));
    }

    [Fact]
    public void Home_of_one_family_serves_a_device_that_came_through_a_tunnel_and_not_where_it_is_not_registered()
    {
        ProxyRig rig = new(hasIPv6: false);
        DhtNode device = rig.AddDevice(_own), elsewhere = rig.Network.Add(serves: false);
        rig.Tunnel(device);
        rig.Tunnel(elsewhere);
        SignedRecord record = _own.Sign(1, "x");
        CallId put = rig.Put(device, record), stolen = rig.Get(elsewhere, _own, record.Target);
        rig.Run();
        CallId get = rig.Get(device, _own, record.Target);
        rig.Run();
        Assert.InRange(rig.StoredBy(put), RoutingTable.K, 30);
        Assert.Single(rig.Records(get, out _));
        Assert.Equal(Refusal.NotAuthorized, rig.RefusalOf(stolen));
    }

    [Fact]
    public void Malformed_questions_are_refused()
    {
        ProxyRig rig = new();
        DhtNode device = rig.AddDevice(_own);
        CallId[] calls = [rig.Ask(device, HomeMethod.ProxyGet, [0xA0]), rig.Ask(device, HomeMethod.ProxyPut, [0xA0]), rig.Ask(device, HomeMethod.ProxyPut, [0xA1, 1, 0xA0])];
        rig.Run();
        Assert.All(calls, call => Assert.Equal(Refusal.Malformed, rig.RefusalOf(call)));
    }

    [Fact]
    public void Device_has_four_lookups_under_way_and_then_a_rate()
    {
        ProxyRig rig = new(new HomeLimits { ProxiedPerDevice = new(1, 10) });
        DhtNode device = rig.AddDevice(_own), other = rig.AddDevice(_other);
        CallId[] atOnce = [.. Enumerable.Range(0, 8).Select(_ => rig.Get(device, _own, DhtKey.Random(rig.Network.Random)))];
        CallId others = rig.Get(other, _other, DhtKey.Random(rig.Network.Random));
        rig.Run();
        Assert.Equal(4, atOnce.Count(call => rig.RefusalOf(call) == Refusal.Busy));
        Assert.Empty(rig.Records(others, out _));

        int done = 0;
        for (int i = 0; i < 20; i++)
        {
            CallId call = rig.Get(device, _own, DhtKey.Random(rig.Network.Random));
            rig.Run(0.5);
            done += rig.RefusalOf(call) == Refusal.None ? 1 : 0;
        }

        Assert.InRange(done, 10 - 4 + 10, 10 - 4 + 14); // what was left, and one a second
    }

    [Fact]
    public void Devices_of_one_network_and_all_devices_together_have_a_rate()
    {
        Owners[] owners = [.. Enumerable.Range(1, 6).Select(i => new Owners((byte)i, 1, uses: DelegationUses.All))];
        Assert.Equal(3, DoneOf(new HomeLimits { Proxied = new(0.001, 3) }, ofOneNetwork: false));
        Assert.Equal(3, DoneOf(new HomeLimits { ProxiedPerSourceUnit = new(0.001, 3) }, ofOneNetwork: true));
        Assert.Equal(6, DoneOf(new HomeLimits { ProxiedPerSourceUnit = new(0.001, 3) }, ofOneNetwork: false));
        Assert.Equal(3, DoneOf(new HomeLimits { MaxProxied = 3 }, ofOneNetwork: false));

        int DoneOf(HomeLimits limits, bool ofOneNetwork)
        {
            ProxyRig rig = new(limits);
            DhtNode[] devices = [.. owners.Select((owner, i) => rig.AddDevice(owner, ofOneNetwork ? Endpoint.FromIPv4(0x50505001, (ushort)(5000 + i)) : null))];
            CallId[] calls = [.. devices.Select((device, i) => rig.Get(device, owners[i], DhtKey.Random(rig.Network.Random)))];
            rig.Run();
            Assert.All(calls, call => Assert.True(rig.RefusalOf(call) is Refusal.None or Refusal.Busy));
            return calls.Count(call => rig.RefusalOf(call) == Refusal.None);
        }
    }

    [Fact]
    public void Question_repeated_is_answered_by_the_lookup_it_began_and_a_replay_begins_none()
    {
        ProxyRig rig = new(new HomeLimits { ProxiedPerDevice = new(0.001, 2) });
        DhtNode device = rig.AddDevice(_own);
        DhtKey target = _other.Sign(1, "x").Target;
        byte[] question = rig.Capture(device, () => rig.Get(device, _own, target));
        rig.Run(0.1);
        CallId[] again = [rig.Get(device, _own, target), rig.Get(device, _own, target)];
        rig.Run(1);
        CallId late = rig.Get(device, _own, target);
        rig.Run(0.2);
        Assert.All([again[^1], late], call => Assert.Empty(rig.Records(call, out _)));

        rig.Run(DhtProxy.KeptFor.TotalSeconds);
        for (int i = 0; i < 10; i++)
        {
            rig.Network.Send(device.Endpoint, rig.Home.Endpoint, question);
            rig.Run(0.5);
        }

        Assert.Equal(10, rig.Home.Drops[DropReason.Replayed]);
        CallId second = rig.Get(device, _own, DhtKey.Random(rig.Network.Random));
        rig.Run();
        Assert.Empty(rig.Records(second, out _)); // the replays have spent nothing of it
    }
}
