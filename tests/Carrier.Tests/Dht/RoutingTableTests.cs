using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht.Routing;

namespace Carrier.Tests.Dht;

public sealed class RoutingTableTests
{
    private readonly SeededRandom _random = new(4);
    private readonly RoutingTable _table = new(default);

    [Fact]
    public void Answered_of_any_number_of_nodes_of_one_block_takes_a_few_places()
    {
        for (int i = 0; i < 2_000; i++)
        {
            _ = _table.Answered(Instant.Zero, ContactAt(0x14000000 + (uint)(i % 250), (ushort)(1 + i), (byte)(i % (NodeId.MaxChoice + 1))));
        }

        Assert.InRange(_table.Count, 1, RoutingTable.MaxOfUnitInTable);
        Assert.All(_table.Contacts().GroupBy(BucketOf), bucket => Assert.InRange(bucket.Count(), 1, RoutingTable.MaxOfUnitInBucket));
    }

    [Fact]
    public void Answered_of_strangers_evicts_no_live_entry_and_a_failed_one_gives_way()
    {
        List<Contact> first = [];
        for (uint block = 0; first.Count < RoutingTable.K; block++)
        {
            Contact contact = ContactAt(0x14000001 + (block << 8), 4000);
            if (BucketOf(contact) == 0)
            {
                Assert.True(_table.Answered(Instant.Zero, contact));
                first.Add(contact);
            }
        }

        List<Contact> late = [];
        for (uint block = 0; block < 5_000; block++)
        {
            Contact contact = ContactAt(0x28000001 + (block << 8), 4000);
            if (BucketOf(contact) == 0)
            {
                Assert.False(_table.Answered(Instant.Zero + TimeSpan.FromSeconds(1), contact));
                late.Add(contact);
            }
        }

        Assert.All(first, contact => Assert.True(_table.Contains(contact.Key)));
        for (int i = 0; i < RoutingTable.FailuresToReplace; i++)
        {
            _table.Failed(first[3].Key, first[3].Endpoint);
        }

        Assert.False(_table.Contains(first[3].Key));
        Assert.Equal(RoutingTable.K, _table.Count);
        Assert.Single(late, contact => _table.Contains(contact.Key));
    }

    [Fact]
    public void Answered_of_a_known_key_elsewhere_does_not_move_the_live_entry()
    {
        Contact known = ContactAt(0x14000001, 4000);
        Assert.True(_table.Answered(Instant.Zero, known));
        _ = _table.Answered(Instant.Zero, new Contact(known.Key, known.Choice, Endpoint.FromIPv4(0x28000001, 4000)));
        Assert.Equal([known], _table.Contacts());
    }

    [Fact]
    public void Failed_at_another_address_of_a_known_key_says_nothing_of_the_entry()
    {
        // A seed by IPv4 and IPv6, on a machine that has IPv4 alone.
        Contact known = ContactAt(0x14000001, 4000);
        Assert.True(_table.Answered(Instant.Zero, known));
        for (int i = 0; i < RoutingTable.FailuresToRemove; i++)
        {
            _table.Failed(known.Key, Endpoint.FromIPv4(0x28000001, 4000));
        }

        Contact[] found = new Contact[1];
        Assert.Equal(1, _table.Closest(known.Id, AddressScope.Loopback, found));
    }

    [Fact]
    public void ClosestToAsk_with_none_live_gives_those_that_failed()
    {
        Contact[] known = [ContactAt(0x14000001, 4000), ContactAt(0x28000001, 4000)];
        Contact[] found = new Contact[4];
        foreach (Contact contact in known)
        {
            Assert.True(_table.Answered(Instant.Zero, contact));
            Fail(contact);
        }

        Assert.Equal(0, _table.Closest(known[0].Id, AddressScope.Loopback, found));
        Assert.Equal(2, _table.ClosestToAsk(known[0].Id, found));
        Assert.True(_table.Answered(Instant.Zero, known[1]));
        Assert.Equal(1, _table.ClosestToAsk(known[0].Id, found));
        Assert.Equal(known[1], found[0]);
    }

    private void Fail(Contact contact)
    {
        for (int i = 0; i < RoutingTable.FailuresToReplace; i++)
        {
            _table.Failed(contact.Key, contact.Endpoint);
        }
    }

    private int BucketOf(Contact contact) => _table.Centre.DistanceTo(contact.Id).SharedBits;

    private Contact ContactAt(uint address, ushort port, byte choice = 0)
    {
        byte[] key = new byte[PublicKey.Bytes];
        _random.Fill(key);
        return new Contact(new PublicKey(key), choice, Endpoint.FromIPv4(address, port));
    }
}
