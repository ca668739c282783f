using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Tests.Dht;

/// <summary>A small deterministic network of DHT machines in virtual time: 20–60 ms a hop, nothing lost unless a node is down.</summary>
internal sealed class DhtNetwork(ulong seed)
{
    public static readonly UnixTime Epoch = new(1_800_000_000);

    private readonly PriorityQueue<(Endpoint From, Endpoint To, byte[] Bytes), (Instant At, long Order)> _inFlight = new();
    private readonly Dictionary<Endpoint, DhtNode> _byEndpoint = [];
    private readonly byte[] _buffer = new byte[1_500];
    private long _order;

    public SeededRandom Random { get; } = new(seed);

    public Instant Now { get; private set; } = new(1_000_000_000);

    public List<DhtNode> Nodes { get; } = [];

    /// <summary>Datagram bytes sent to an endpoint, whoever lives there.</summary>
    public Dictionary<Endpoint, int> BytesTo { get; } = [];

    public static Endpoint AddressOf(int node) => Endpoint.FromIPv4(0x14000000u + ((uint)node << 8) + 1, 4000);

    public DhtNode Add(bool serves, Endpoint? at = null, DhtOptions? options = null, TransportKey? key = null)
    {
        DhtNode node = new(this, at ?? AddressOf(_byEndpoint.Count + 1), serves, options ?? DhtOptions.Default, key);
        _byEndpoint[node.Endpoint] = node;
        Nodes.Add(node);
        return node;
    }

    /// <summary>A network of serving nodes that know each other through the first one.</summary>
    public void Grow(int nodes)
    {
        for (int i = 0; i < nodes; i++)
        {
            DhtNode node = Add(serves: true);
            if (node != Nodes[0])
            {
                node.AddSeed(Nodes[0]);
            }

            if (i % 10 == 9)
            {
                Run(TimeSpan.FromMilliseconds(300));
            }
        }

        Run(TimeSpan.FromSeconds(10));
    }

    public void Send(Endpoint from, Endpoint to, ReadOnlySpan<byte> bytes)
    {
        BytesTo[to] = BytesTo.GetValueOrDefault(to) + bytes.Length;
        Instant at = Now + TimeSpan.FromMilliseconds(20 + Random.NextInt32(40));
        _inFlight.Enqueue((from, to, bytes.ToArray()), (at, _order++));
    }

    public void Run(TimeSpan duration)
    {
        Instant end = Now + duration;
        FlushAll();
        while (true)
        {
            Instant next = _inFlight.TryPeek(out _, out (Instant At, long Order) first) ? first.At : Instant.Never;
            foreach (DhtNode node in Nodes)
            {
                next = node.IsUp ? Instant.Min(next, node.Dht.NextDeadline) : next;
            }

            if (next > end)
            {
                Now = end;
                return;
            }

            Now = Instant.Max(Now, next);
            while (_inFlight.TryPeek(out _, out first) && first.At <= Now)
            {
                (Endpoint from, Endpoint to, byte[] bytes) = _inFlight.Dequeue();
                if (_byEndpoint.TryGetValue(to, out DhtNode? node) && node.IsUp)
                {
                    node.Handle(from, bytes);
                    Flush(node);
                }
            }

            foreach (DhtNode node in Nodes)
            {
                if (node.IsUp && node.Dht.NextDeadline <= Now)
                {
                    node.Dht.HandleTimeout(Now);
                    Flush(node);
                }
            }
        }
    }

    /// <summary>Runs until the operation's last effect.</summary>
    public DhtEffect Finish(DhtNode node, DhtOperation operation, DhtEffectKind kind = DhtEffectKind.LookupFinished, TimeSpan? patience = null)
    {
        Instant end = Now + (patience ?? TimeSpan.FromSeconds(15));
        while (Now < end)
        {
            Run(TimeSpan.FromMilliseconds(50));
            while (node.Dht.TryEffect(out DhtEffect? effect))
            {
                if (effect.Kind == kind && effect.Operation == operation)
                {
                    return effect;
                }
            }
        }

        throw new InvalidOperationException("The operation did not finish in time.");
    }

    public DhtEffect Get(DhtNode node, DhtKey target, bool thorough = false)
    {
        Assert.True(node.Dht.TryGet(Now, target, thorough, out DhtOperation operation));
        return Finish(node, operation);
    }

    public DhtEffect Put(DhtNode node, DhtRecord record, ulong? expected = null, DhtKey? at = null)
    {
        Assert.True(node.Dht.TryPut(Now, record, expected, out DhtOperation operation, at));
        return Finish(node, operation, DhtEffectKind.PutFinished);
    }

    private void FlushAll()
    {
        foreach (DhtNode node in Nodes)
        {
            Flush(node);
        }
    }

    private void Flush(DhtNode node)
    {
        while (node.IsUp && node.Dht.TryTransmit(Now, _buffer, out Transmit transmit))
        {
            Send(node.Endpoint, transmit.Path.Remote, _buffer.AsSpan(0, transmit.Bytes));
        }
    }
}

/// <summary>One node of a <see cref="DhtNetwork"/>.</summary>
internal sealed class DhtNode
{
    private readonly DhtNetwork _network;

    public DhtNode(DhtNetwork network, Endpoint endpoint, bool serves, DhtOptions options, TransportKey? key)
    {
        _network = network;
        Endpoint = endpoint;
        Key = key ?? TransportKey.Generate(network.Random);
        Rpc = new RpcMachine(
            new SealedMessages(Key, network.Random, Drops), new AddressTokens(network.Random), network.Random, Drops);
        Dht = new DhtMachine(Rpc, options, new WallClock(new(1_000_000_000), DhtNetwork.Epoch), network.Now);
        if (serves)
        {
            Dht.Serve(network.Now, Key.Public, endpoint);
        }
    }

    public Endpoint Endpoint { get; }

    public TransportKey Key { get; }

    public DropCounters Drops { get; } = new();

    public RpcMachine Rpc { get; }

    public DhtMachine Dht { get; }

    public bool IsUp { get; set; } = true;

    /// <summary>Plays a hostile node: every DHT question goes here instead of to the machine.</summary>
    public Action<DhtNode, RpcEffect>? Hostile { get; set; }

    public void AddSeed(DhtNode seed) => Assert.True(Dht.TryAddSeed(_network.Now, seed.Key.Public, seed.Endpoint));

    public void Handle(Endpoint from, byte[] bytes)
    {
        if (Hostile is null || bytes[0] != 0x40)
        {
            Dht.Handle(_network.Now, from, bytes);
            return;
        }

        Rpc.Handle(_network.Now, from, bytes);
        while (Rpc.TryDhtEffect(out RpcEffect effect))
        {
            Hostile(this, effect);
        }
    }
}
