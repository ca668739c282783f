using Carrier.Core;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Tests.Dht;

public sealed class DhtMachineTests
{
    [Fact]
    public void FindNode_in_a_network_of_150_finds_the_closest_nodes()
    {
        DhtNetwork network = new(1);
        network.Grow(150);
        DhtKey target = DhtKey.Random(network.Random);
        Assert.True(network.Nodes[77].Dht.TryFindNode(network.Now, target, out DhtOperation operation));
        DhtEffect effect = network.Finish(network.Nodes[77], operation);

        HashSet<DhtKey> expected =
        [
            .. network.Nodes.Where(node => node != network.Nodes[77]).Select(static node => node.Dht.Table.Centre)
                .OrderBy(id => id.DistanceTo(target)).Take(RoutingTable.K),
        ];
        int found = effect.Contacts.Count(contact => expected.Contains(contact.Id));
        Assert.True(found >= 18, $"{found} of the 20 closest");
        Assert.InRange(network.Nodes[77].Dht.EstimatedNetworkSize, 70, 320);
    }

    [Fact]
    public void Put_then_get_by_a_client_returns_the_record_and_the_client_enters_no_table()
    {
        DhtNetwork network = new(2);
        network.Grow(60);
        DhtNode client = network.Add(serves: false);
        client.AddSeed(network.Nodes[0]);
        network.Run(TimeSpan.FromSeconds(3));
        SignedRecord record = new Owners(1, 1).Sign(1, "hello");
        DhtEffect put = network.Put(client, record);
        Assert.True(put.StoredCount >= 15, $"{put.StoredCount} stored, {put.Refusal}");

        DhtEffect get = network.Get(network.Nodes[33], record.Target);
        SignedRecord found = Assert.IsType<SignedRecord>(Assert.Single(get.Records));
        Assert.Equal(record.Encoded.ToArray(), found.Encoded.ToArray());
        Assert.All(network.Nodes, node => Assert.False(node.Dht.Table.Contains(client.Key.Public)));
    }

    [Fact]
    public void Get_of_sixteen_large_device_records_pages_through_all_of_them()
    {
        DhtNetwork network = new(3);
        network.Grow(25);
        SignedRecord[] records = [.. Enumerable.Range(1, 16).Select(static d => new Owners(1, (byte)d).Sign(1, "d", padTo: 900))];
        foreach (SignedRecord record in records)
        {
            DhtEffect put = network.Put(network.Nodes[3], record);
            Assert.True(put.StoredCount >= 15, $"{put.StoredCount} of {put.AskedCount}, {put.Refusal}");
        }

        DhtEffect get = network.Get(network.Nodes[9], records[0].Target, thorough: true);
        Assert.Equal(16, get.Records.Count);
    }

    [Fact]
    public void Put_of_a_revocation_hides_the_older_delegation_everywhere()
    {
        DhtNetwork network = new(4);
        network.Grow(25);
        Owners owner = new(1, 1, serial: 5);
        Owners renewed = new(1, 2, serial: 7);
        SignedRecord record = owner.Sign(1, "old", salt: "zone");
        Assert.True(network.Put(network.Nodes[3], record).StoredCount > 0);
        Assert.True(network.Put(network.Nodes[3], renewed.Sign(1, "new", salt: "zone")).StoredCount > 0);
        var revocation = RevocationRecord.Create(Carrier.Core.Identity.Revocation.Issue(owner.Owner, 7));
        Assert.True(network.Put(network.Nodes[4], revocation, at: record.Target).StoredCount > 0);

        DhtEffect get = network.Get(network.Nodes[9], record.Target, thorough: true);
        Assert.Equal(renewed.Device.SigningKey, Assert.Single(get.Records.OfType<SignedRecord>()).Device);
        Assert.Equal(PutOutcome.Revoked, network.Put(network.Nodes[3], owner.Sign(9, "again", salt: "zone")).Refusal);
    }

    [Fact]
    public void Put_with_an_expected_sequence_swaps_only_when_it_matches()
    {
        DhtNetwork network = new(5);
        network.Grow(22);
        Owners owner = new(1, 1);
        DhtEffect first = network.Put(network.Nodes[1], owner.Sign(10, "a"), expected: 0);
        Assert.True(first.StoredCount > 15, $"{first.StoredCount} of {first.AskedCount}, {first.Refusal}");
        DhtEffect lost = network.Put(network.Nodes[2], owner.Sign(12, "b"), expected: 9);
        Assert.Equal((0, PutOutcome.SequenceMismatch), (lost.StoredCount, lost.Refusal));
        Assert.True(network.Put(network.Nodes[2], owner.Sign(12, "b"), expected: 10).StoredCount > 15);
        Assert.Equal(PutOutcome.StaleSequence, network.Put(network.Nodes[2], owner.Sign(11, "c")).Refusal);
    }

    [Fact]
    public void Publish_outlives_the_churn_of_most_nodes_that_kept_it()
    {
        DhtNetwork network = new(6);
        network.Grow(40);
        Owners owner = new(2, 1);
        DhtOperation publication = network.Nodes[0].Dht.Publish(network.Now, owner.Device, owner.Delegation, default, "here"u8);
        Assert.True(network.Finish(network.Nodes[0], publication, DhtEffectKind.Published).StoredCount > 0);
        network.Nodes.GetRange(10, 25).ForEach(static node => node.IsUp = false);
        for (int i = 0; i < 10; i++)
        {
            network.Add(serves: true).AddSeed(network.Nodes[0]);
        }

        network.Run(TimeSpan.FromMinutes(34));
        DhtEffect get = network.Get(network.Nodes[^1], SignedRecord.TargetOf(owner.Delegation.TrustId, default));
        SignedRecord found = Assert.IsType<SignedRecord>(Assert.Single(get.Records));
        Assert.True(found.Expiry > DhtNetwork.Epoch + TimeSpan.FromMinutes(85), "signed anew");
    }

    [Fact]
    public void Publish_that_nobody_took_is_put_again_soon_and_not_at_the_next_interval()
    {
        DhtNetwork network = new(10);
        DhtNode server = network.Add(serves: true);
        DhtNode client = network.Add(serves: false);
        client.AddSeed(server);
        network.Run(TimeSpan.FromSeconds(3));
        int refused = 0;
        server.Hostile = (self, effect) =>
        {
            // An overloaded node: it is silent first, then too busy to verify, then well again.
            if (effect.Kind == RpcEffectKind.Asked && effect.Question.Method == (int)DhtMethod.Put && ++refused > 4)
            {
                _ = self.Rpc.Answer(network.Now, effect.Question, [0xA1, 0x00, (byte)PutOutcome.Busy]);
                self.Hostile = refused < 6 ? self.Hostile : null;
            }
            else if (effect.Kind == RpcEffectKind.Asked && effect.Question.Method != (int)DhtMethod.Put)
            {
                byte[] answer = effect.Question.Method == (int)DhtMethod.Get ? [0xA2, 0x00, 0x80, 0x01, 0x50, .. new byte[16]] : [0xA1, 0x00, 0x80]; // no contacts, some write token
                _ = self.Rpc.Answer(network.Now, effect.Question, answer);
            }
        };
        Owners owner = new(2, 1);
        Instant start = network.Now;
        DhtOperation publication = client.Dht.Publish(network.Now, owner.Device, owner.Delegation, default, "here"u8);

        List<int> stored = [];
        while (stored.LastOrDefault() == 0 && network.Now < start + TimeSpan.FromMinutes(2))
        {
            stored.Add(network.Finish(client, publication, DhtEffectKind.Published, patience: TimeSpan.FromMinutes(2)).StoredCount);
        }

        Assert.Equal([0, 0, 0, 1], stored);
        Assert.True(network.Now - start < TimeSpan.FromSeconds(60), $"{network.Now - start}");
        network.Run(TimeSpan.FromMinutes(5));
        Assert.False(client.Dht.TryEffect(out _), "what is kept waits for the interval");
    }

    [Fact]
    public void Publish_by_a_serving_node_alone_is_kept_by_itself_and_found_by_others()
    {
        DhtNetwork network = new(11);
        DhtNode alone = network.Add(serves: true);
        Owners owner = new(2, 1);
        DhtOperation publication = alone.Dht.Publish(network.Now, owner.Device, owner.Delegation, default, "here"u8);
        DhtKey target = SignedRecord.TargetOf(owner.Delegation.TrustId, default);

        Assert.Equal(1, network.Finish(alone, publication, DhtEffectKind.Published).StoredCount);
        Assert.Single(network.Get(alone, target).Records);
        DhtNode client = network.Add(serves: false);
        client.AddSeed(alone);
        network.Run(TimeSpan.FromSeconds(3));
        Assert.Single(network.Get(client, target).Records);
        network.Run(TimeSpan.FromHours(3));
        Assert.Single(network.Get(client, target).Records);
    }

    [Fact]
    public void Put_in_a_large_network_is_kept_here_only_when_the_target_belongs_here()
    {
        DhtNetwork network = new(12);
        network.Grow(80);
        DhtNode putter = network.Nodes[40];
        for (int i = 0; i < 20; i++)
        {
            var record = ImmutableRecord.Create([(byte)i]);
            int closer = network.Nodes.Count(node => node.Dht.Table.Centre.DistanceTo(record.Target).CompareTo(putter.Dht.Table.Centre.DistanceTo(record.Target)) < 0);
            _ = network.Put(putter, record);
            if (closer is < 15 or > 40)
            {
                Assert.Equal(closer < 15, putter.Dht.Store.Contains(record.Target));
            }
        }
    }

    [Fact]
    public void Tick_refreshes_buckets_that_no_lookup_went_through()
    {
        DhtNetwork network = new(7);
        network.Grow(30);
        DhtNode watched = network.Nodes[5];
        int before = network.BytesTo.Values.Sum();
        DhtNode late = network.Add(serves: true);
        late.AddSeed(network.Nodes[0]);
        network.Run(TimeSpan.FromSeconds(3));
        network.Nodes.ForEach(node => node.IsUp = node == watched || node == late || network.Nodes.IndexOf(node) < 12);
        network.Run(TimeSpan.FromMinutes(17));
        Assert.True(network.BytesTo.Values.Sum() > before);
        Assert.True(watched.Dht.Table.Contains(late.Key.Public), "a refresh meets who came");
        Assert.DoesNotContain(watched.Dht.Table.Contacts(), contact => network.Nodes.Any(node => !node.IsUp && node.Endpoint == contact.Endpoint));
    }

    [Fact]
    public void TryRestore_of_a_snapshot_brings_table_and_records_back_without_a_seed()
    {
        DhtNetwork network = new(8);
        network.Grow(30);
        SignedRecord record = new Owners(3, 1).Sign(4, "kept");
        _ = network.Put(network.Nodes[2], record);
        DhtNode old = network.Nodes.First(node => node.Dht.Store.Contains(record.Target));
        byte[] snapshot = old.Dht.Snapshot();
        old.IsUp = false;

        DhtNode restored = network.Add(serves: true, at: old.Endpoint, key: old.Key);
        Assert.True(restored.Dht.TryRestore(network.Now, snapshot));
        Assert.Equal(0, restored.Dht.Table.Count);
        Assert.True(restored.Dht.Store.Contains(record.Target));
        network.Run(TimeSpan.FromSeconds(4));
        Assert.True(restored.Dht.Table.Count >= 15, $"{restored.Dht.Table.Count} answered again");
        for (int length = 0; length < snapshot.Length; length += 7)
        {
            Assert.False(restored.Dht.TryRestore(network.Now, snapshot.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Network_on_one_machine_works_though_all_share_a_source_unit()
    {
        DhtNetwork network = new(9);
        for (ushort i = 0; i < 30; i++)
        {
            DhtNode node = network.Add(serves: true, at: Endpoint.FromIPv4(0x7F000001, (ushort)(5000 + i)));
            if (i > 0)
            {
                node.AddSeed(network.Nodes[0]);
            }
        }

        network.Run(TimeSpan.FromSeconds(5));
        var record = ImmutableRecord.Create("one machine"u8);
        Assert.True(network.Put(network.Nodes[7], record).StoredCount >= 15);
        Assert.Single(network.Get(network.Nodes[20], record.Target).Records);
    }
}
