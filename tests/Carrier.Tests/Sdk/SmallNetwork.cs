using System.Net;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Net;

namespace Carrier.Tests.Sdk;

/// <summary>Real nodes on loopback: one seed that serves, and devices that know it. Disposing ends all.</summary>
internal sealed class SmallNetwork : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _nodes = [];
    private readonly List<IDisposable> _keys = [];
    private CarrierNode? _seed;

    /// <summary>Longer than anything here takes on a busy machine.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(30);

    public CarrierNode Seed => _seed!;

    public static async Task<SmallNetwork> StartAsync(bool seedHasOwner = false)
    {
        SmallNetwork network = new();
        TransportKey key = network.Keep(TransportKey.Generate(SystemRandomSource.Shared));
        network._seed = network.Add(await CarrierNode.StartAsync(new CarrierNodeOptions
        {
            Identity = seedHasOwner ? network.NewIdentity(key) : new NodeIdentity(key),
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Serve = true,
            LoggerFactory = new TestLog(),
        }));
        return network;
    }

    /// <summary>A device of a new owner.</summary>
    public NodeIdentity NewIdentity(TransportKey? transportKey = null)
    {
        RandomSource random = SystemRandomSource.Shared;
        Span<byte> scalar = stackalloc byte[OwnerKey.PrivateBytes];
        random.Fill(scalar);
        scalar[0] = 1;
        Assert.True(OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner));
        Keep(owner);
        DeviceKeys device = Keep(DeviceKeys.Generate(random));
        UnixTime now = new(DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        var delegation = Delegation.Issue(owner, device, 1, now - TimeSpan.FromHours(1), now + TimeSpan.FromDays(1), DelegationUses.All);
        return new NodeIdentity(device, delegation, transportKey);
    }

    /// <summary>A started device that knows the seed, not yet ready.</summary>
    public async Task<CarrierNode> StartNodeAsync(SocketKind? kind = null, NodeIdentity? identity = null, string? state = null, bool knowsSeed = true) =>
        Add(await CarrierNode.StartAsync(new CarrierNodeOptions
        {
            Identity = identity ?? NewIdentity(),
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Seeds = knowsSeed ? [Seed.ServingAddress!.Value] : [],
            ForcedSocketKind = kind,
            StateDirectory = state,
            LoggerFactory = new TestLog(),
        }));

    /// <summary>Two devices, the first of them ready to be found.</summary>
    public async Task<(CarrierNode Listener, CarrierNode Dialler)> StartPairAsync(SocketKind? kind = null)
    {
        CarrierNode listener = await StartNodeAsync(kind);
        CarrierNode dialler = await StartNodeAsync(kind);
        await listener.WaitUntilReadyAsync().WaitAsync(Patience);
        return (listener, dialler);
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_nodes.Select(node => node.DisposeAsync().AsTask())).WaitAsync(Patience);
        _keys.ForEach(key => key.Dispose());
    }

    private CarrierNode Add(CarrierNode node)
    {
        _nodes.Add(node);
        return node;
    }

    private T Keep<T>(T key)
        where T : IDisposable
    {
        _keys.Add(key);
        return key;
    }
}
