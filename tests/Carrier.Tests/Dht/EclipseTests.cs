using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Tests.Dht;

/// <summary>Content eclipse (arXiv 2505.01139): a fifth of all nodes, each in an address block of its own, are ground nearer to one key than any honest node.</summary>
public sealed class EclipseTests
{
    private const int HonestNodes = 80;
    private const int Sybils = 20;

    /// <summary>Honest nodes share about log₂ 80 bits with the key at best; 20 blocks in 16,000 give this many.</summary>
    private const int GroundBits = 9;

    private readonly DhtNetwork _network = new(23);
    private readonly SignedRecord _record = new Owners(5, 1).Sign(1, "eclipsed?");
    private readonly List<Contact> _sybils = [];

    [Fact]
    public void Put_at_the_k_closest_alone_is_lost_to_sybils_at_the_key()
    {
        DhtNode reader = Begin();
        HashSet<Endpoint> closest = [.. _network.Nodes.Where(static node => node.Rpc.Serving is not null)
            .OrderBy(node => node.Rpc.Serving!.Value.Id.DistanceTo(_record.Target)).Take(RoutingTable.K).Select(static node => node.Endpoint)];
        foreach (DhtNode node in _network.Nodes.Where(node => node.Hostile is null && closest.Contains(node.Endpoint)))
        {
            _ = node.Dht.Store.Put(_network.Now, DhtNetwork.Epoch, _record, _record.Target, node.Endpoint, expected: null);
        }

        Assert.Equal(Sybils, closest.Count(endpoint => _sybils.Exists(sybil => sybil.Endpoint == endpoint)));
        Assert.Empty(_network.Get(reader, _record.Target, thorough: true).Records);
    }

    [Fact]
    public void Put_within_the_expected_region_is_found_past_sybils_at_the_key()
    {
        DhtNode reader = Begin();
        Assert.True(_network.Put(_network.Nodes[11], _record).StoredCount > Sybils, "honest nodes took it beside the Sybils, who only say so");
        Assert.Single(_network.Get(reader, _record.Target).Records);
    }

    [Fact]
    public void Get_after_a_restart_amid_sybils_is_not_eclipsed()
    {
        _ = Begin();
        DhtNode old = _network.Nodes[30];
        _ = _network.Put(_network.Nodes[11], _record);
        byte[] snapshot = old.Dht.Snapshot();
        old.IsUp = false;

        DhtNode restored = _network.Add(serves: true, at: old.Endpoint, key: old.Key);
        Assert.True(restored.Dht.TryRestore(_network.Now, snapshot));
        foreach (DhtNode sybil in _network.Nodes.Where(static node => node.Hostile is not null))
        {
            // Each of them is there first and asks, to be taken for a neighbour.
            _ = sybil.Rpc.TryAsk(_network.Now, restored.Key.Public, restored.Endpoint, (int)DhtMethod.Ping, [0xA0], AskOptions.Introduce, out _);
        }

        _network.Run(TimeSpan.FromSeconds(10));
        int honest = restored.Dht.Table.Contacts().Count(contact => !_sybils.Contains(contact));
        Assert.True(honest > HonestNodes / 4, $"{honest} of {restored.Dht.Table.Count} entries are honest");
        Assert.Single(_network.Get(restored, _record.Target).Records);
    }

    private DhtNode Begin()
    {
        _network.Grow(HonestNodes);
        DhtNode reader = _network.Add(serves: false, options: new DhtOptions { ReadPaths = 4 });
        reader.AddSeed(_network.Nodes[0]);
        AddSybils();
        _network.Run(TimeSpan.FromSeconds(15));
        return reader;
    }

    // The prefix of an id is bound to the address block, so blocks are what an attacker must have; the key moves only the bits after it.
    private void AddSybils()
    {
        var trial = TransportKey.Generate(_network.Random);
        for (uint block = 0; _sybils.Count < Sybils; block++)
        {
            Endpoint endpoint = Endpoint.FromIPv4(0x28000001 + (block << 8), 4000);
            if (new Contact(trial.Public, 0, endpoint).Id.DistanceTo(_record.Target).SharedBits < GroundBits)
            {
                continue;
            }

            var key = TransportKey.Generate(_network.Random);
            DhtNode sybil = _network.Add(serves: true, at: endpoint, key: key);
            sybil.Rpc.Serving = new Contact(key.Public, 0, endpoint);
            _sybils.Add(sybil.Rpc.Serving.Value);
            sybil.AddSeed(_network.Nodes[0]);
            sybil.Hostile = AnswerWithSybils;
        }

        trial.Dispose();
    }

    /// <summary>They name only each other, have no record, and swallow what is stored with them.</summary>
    private void AnswerWithSybils(DhtNode self, RpcEffect effect)
    {
        if (effect.Kind != RpcEffectKind.Asked)
        {
            return;
        }

        CborWriter writer = new(stackalloc byte[1_300]);
        bool givesToken = effect.Question.Method == (int)DhtMethod.Get;
        writer.WriteMap(givesToken ? 2 : 1);
        writer.WriteUInt(0);
        if (effect.Question.Method == (int)DhtMethod.Put)
        {
            writer.WriteUInt((ulong)PutOutcome.Stored);
        }
        else
        {
            writer.WriteArray(_sybils.Count);
            foreach (Contact contact in _sybils)
            {
                contact.Write(ref writer);
            }
        }

        if (givesToken)
        {
            writer.WriteUInt(1);
            writer.WriteBytes(new byte[16]);
        }

        _ = self.Rpc.Answer(_network.Now, effect.Question, writer.Encoded);
    }
}
