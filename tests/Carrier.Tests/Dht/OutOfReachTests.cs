using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht;
using Carrier.Dht.Lookups;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;

namespace Carrier.Tests.Dht;

/// <summary>Which lookups and puts are another node's to finish: those that miss nodes of a family without a route.</summary>
public sealed class OutOfReachTests
{
    private readonly DhtKey _target = new(new byte[DhtKey.Bytes]);

    [Fact]
    public void Misses_a_node_that_belongs_among_the_closest_but_not_a_farther_one()
    {
        Contact[] nodes = Nodes(RoutingTable.K + 2);
        Lookup lookup = new(Instant.Zero, _target, paths: 1, regionFraction: 0);
        List<Candidate> closest = [.. nodes[1..^1].Select(Answered)];
        Assert.False(lookup.Misses(closest));
        lookup.LearnOutOfReach(nodes[^1]);
        Assert.False(lookup.Misses(closest));
        Assert.True(lookup.Misses(closest[..^1])); // fewer than k answered: it is one of them
        lookup.LearnOutOfReach(nodes[0]);
        Assert.True(lookup.Misses(closest));
    }

    [Fact]
    public void Misses_no_node_that_answered_at_its_address_of_the_other_family()
    {
        Contact[] nodes = Nodes(RoutingTable.K);
        Lookup lookup = new(Instant.Zero, _target, paths: 1, regionFraction: 0);
        List<Candidate> closest = [.. nodes.Select(Answered)];
        lookup.LearnOutOfReach(new Contact(nodes[3].Key, 0, Tests.Nat.Addresses.Of("[2400:1::1]:4000")));
        Assert.False(lookup.Misses(closest[..5]));
    }

    [Fact]
    public void Remembers_the_closest_that_are_out_of_reach_and_no_more()
    {
        Contact[] nodes = Nodes(500);
        Lookup lookup = new(Instant.Zero, _target, paths: 1, regionFraction: 0);
        foreach (Contact node in nodes.Reverse())
        {
            lookup.LearnOutOfReach(node);
        }

        // Twenty are known; if each of them answered elsewhere, none of the other 480 is missed.
        Assert.False(lookup.Misses([.. nodes[..RoutingTable.K].Select(Answered)]));
    }

    [Fact]
    public void Publication_is_handed_over_whenever_it_is_put_and_the_proxies_word_that_it_is_kept_counts()
    {
        DhtNetwork network = new(43);
        DhtNode alone = AddIPv6Device(network, new DhtOptions { ReachesIPv4 = false, PublishInterval = TimeSpan.FromMinutes(1) });
        alone.Dht.HasProxies = true;
        Owners owner = new(1, 1);
        DhtOperation publication = alone.Dht.Publish(network.Now, owner.Device, owner.Delegation, [], [1]);
        List<ulong> put = [];
        int published = 0;
        for (int second = 0; second < 300; second++)
        {
            network.Run(TimeSpan.FromSeconds(1));
            while (alone.Dht.TryEffect(out DhtEffect? effect))
            {
                published += effect.Kind == DhtEffectKind.Published && effect.Operation == publication ? 1 : 0;
                if (effect.Kind == DhtEffectKind.OutOfReach)
                {
                    put.Add(((SignedRecord)effect.Records[0]).Sequence);
                    alone.Dht.Conclude(network.Now, effect.Operation, stored: 20);
                }
            }
        }

        Assert.InRange(put.Count, 5, 6); // at once and every minute, a tenth either way: none is put again for want of nodes
        Assert.Equal(put.Count, published);
        Assert.Equal(put.Order().Distinct(), put);
    }

    [Fact]
    public void Get_and_put_are_handed_over_only_where_there_is_somebody_to_hand_them_to_and_nodes_are_missed()
    {
        DhtNetwork network = new(42);
        DhtNode alone = AddIPv6Device(network, new DhtOptions { ReachesIPv4 = false }), all = network.Add(serves: false);
        all.AddSeed(network.Nodes[0]);
        network.Run(TimeSpan.FromSeconds(10));
        Owners owner = new(1, 1);
        all.Dht.HasProxies = true;
        Assert.InRange(network.Put(all, owner.Sign(1, "x")).StoredCount, RoutingTable.K, 26);
        Assert.Single(network.Get(all, owner.Sign(1, "x").Target).Records);
        Assert.InRange(network.Put(alone, owner.Sign(2, "x")).StoredCount, 0, 1);

        alone.Dht.HasProxies = true;
        Assert.True(alone.Dht.TryPut(network.Now, owner.Sign(3, "x"), null, out DhtOperation put));
        _ = network.Finish(alone, put, DhtEffectKind.OutOfReach);
        alone.Dht.Conclude(network.Now, put, stored: 20);
        Assert.InRange(network.Finish(alone, put, DhtEffectKind.PutFinished).StoredCount, 20, 21);
    }

    [Fact]
    public void Where_only_some_endpoints_are_in_reach_the_rest_is_handed_over_until_all_are_again()
    {
        DhtNetwork network = new(44);
        network.Grow(25);
        DhtNode device = network.Add(serves: false);
        device.AddSeed(network.Nodes[0]);
        device.Dht.HasProxies = true;
        network.Run(TimeSpan.FromSeconds(10));
        Assert.InRange(device.Dht.Table.Count, 10, 25);

        Endpoint[] tunnelled = [network.Nodes[0].Endpoint, network.Nodes[1].Endpoint];
        device.Dht.ReachOnly(network.Now, tunnelled);
        network.Run(TimeSpan.FromSeconds(10));
        Assert.All(device.Dht.Table.Contacts(), contact => Assert.Contains(contact.Endpoint, tunnelled));
        Owners owner = new(1, 1);
        Assert.True(device.Dht.TryPut(network.Now, owner.Sign(1, "x"), null, out DhtOperation put));
        _ = network.Finish(device, put, DhtEffectKind.OutOfReach);
        device.Dht.Conclude(network.Now, put, stored: 0);
        Assert.InRange(network.Finish(device, put, DhtEffectKind.PutFinished).StoredCount, 1, tunnelled.Length);

        device.Dht.ReachOnly(network.Now, null);
        Assert.InRange(network.Put(device, owner.Sign(2, "x")).StoredCount, RoutingTable.K, 25);
    }

    /// <summary>Grows a network of 25 nodes with IPv4 and one that has an IPv6 address, the only one in reach of the device.</summary>
    private static DhtNode AddIPv6Device(DhtNetwork network, DhtOptions options)
    {
        network.Grow(25);
        DhtNode both = network.Add(serves: true, Tests.Nat.Addresses.Of("[2400:1::1]:4000"));
        both.AddSeed(network.Nodes[0]);
        DhtNode device = network.Add(serves: false, Tests.Nat.Addresses.Of("[2400:2::1]:4000"), options);
        device.AddSeed(both);
        network.Run(TimeSpan.FromSeconds(10));
        return device;
    }

    private Contact[] Nodes(int count) =>
    [
        .. Enumerable.Range(0, count)
            .Select(i => new Contact(new PublicKey([.. Enumerable.Repeat((byte)(i + 1), 28), .. BitConverter.GetBytes(i)]), 0, DhtNetwork.AddressOf(i + 1)))
            .OrderBy(contact => contact.Id.DistanceTo(_target)),
    ];

    private Candidate Answered(Contact contact) => new(contact, contact.Id.DistanceTo(_target)) { State = CandidateState.Answered };
}
