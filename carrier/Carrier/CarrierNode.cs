using System.Net.Sockets;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Driving;
using Carrier.Gateways;
using Carrier.Hosting;
using Carrier.Net;
using Carrier.Node;
using Carrier.Node.Homes;
using Carrier.OnLink;
using Carrier.Tunnels;
using Microsoft.Extensions.Logging;

namespace Carrier;

/// <summary>A node of the network in this process: reaches any TrustID and is reached at its own. One UDP socket an address family, one thread.</summary>
/// <remarks>All members may be called from any thread. Disposing tells peers and homes, waits for the handlers and keeps the state.</remarks>
public sealed partial class CarrierNode : IAsyncDisposable, INodeEvents
{
    private readonly CarrierNodeOptions _options;
    private readonly ILogger _logger;
    private readonly NodeThread _thread;
    private readonly StateFolder _state;
    private readonly Listeners _listeners;
    private readonly LocalIdentity? _local;
    private readonly TransportKey? _ownTransportKey;
    private readonly Endpoint[] _nodesToldOf;
    private readonly Surroundings _surroundingsAtStart;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private Task _upkeep = Task.CompletedTask;
    private PortMapper? _portMapper;
    private LinkDiscovery? _linkDiscovery;
    private TunnelClient? _tunnelClient;
    private TunnelServer? _tunnelServer;
    private Task? _disposal;

    private CarrierNode(CarrierNodeOptions options, DatagramSockets sockets, HomeContact[] seeds)
    {
        _options = options;
        _logger = options.LoggerFactory.CreateLogger("Carrier.Node");
        _state = new StateFolder(options.StateDirectory, _logger);
        _listeners = new Listeners(_logger);
        RandomSource random = SystemRandomSource.Shared;
        NodeIdentity identity = options.Identity;
        _local = identity is { Device: { } device, Delegation: { } delegation } ? new LocalIdentity(device, delegation) : null;
        _ownTransportKey = identity.TransportKey is null ? TransportKey.Generate(random) : null;
        TransportKey transportKey = identity.TransportKey ?? _ownTransportKey!;
        LocalEndpoints = [.. new[] { sockets.LocalEndpoint(AddressFamily.InterNetwork), sockets.LocalEndpoint(AddressFamily.InterNetworkV6) }.Where(local => local.Port != 0)];
        Endpoint advertised = options.Serve ? options.Advertise ?? LocalEndpoints.FirstOrDefault(local => !HostEndpoints.IsAnyAddress(local)) : default;
        ServingAddress = options.Serve && !advertised.IsNone ? new SeedAddress(transportKey.Public, advertised) : null;

        Instant now = MonotonicClock.Now;
        NodeMachine machine = new(MachineOptions(options, seeds, advertised, sockets), transportKey, _local, random, WallClockNow(now), now);
        _nodesToldOf = [.. seeds.Select(seed => seed.Endpoint), advertised];
        _surroundingsAtStart = Surroundings.Of(sockets, _nodesToldOf);
        machine.SetHostEndpoints(now, _surroundingsAtStart.Hosts, _surroundingsAtStart.Routed);
        machine.Restore(now, _state.Read());
        _thread = new NodeThread(machine, sockets, this, options.SpinBeforeBlocking, _logger);
    }

    /// <summary>The owner's TrustID; none of a node that only serves.</summary>
    public TrustId TrustId => _options.Identity.TrustId;

    /// <summary>What the sockets are bound to, one an address family.</summary>
    public IReadOnlyList<Endpoint> LocalEndpoints { get; }

    /// <summary>What others give as their seed, when this node serves and its address is known.</summary>
    public SeedAddress? ServingAddress { get; }

    /// <summary>Completes when the node has ended: disposed, or its network thread failed. Never faults.</summary>
    public Task Stopped => _thread.Stopped;

    /// <summary>Binds the sockets and starts the node. It joins the network by itself; wait for that with <see cref="WaitUntilReadyAsync"/>.</summary>
    /// <exception cref="SocketException">The address or port cannot be bound.</exception>
    public static async Task<CarrierNode> StartAsync(CarrierNodeOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options is { Serve: true, Identity.TransportKey: null })
        {
            throw new ArgumentException("A node that serves has a lasting transport key: give its identity one.", nameof(options));
        }

        HomeContact[] seeds = await SeedLookup.ResolveAsync(options.Seeds, options.LoggerFactory.CreateLogger("Carrier.Node"), cancellationToken).ConfigureAwait(false);
        DatagramSockets sockets = DatagramSockets.Bind(BindingOf(options));
        CarrierNode node = new(options, sockets, seeds);
        node.Start(seeds);
        return node;
    }

    /// <summary>Waits until the node is part of the network and can be found: it met nodes, is registered at a home, and its record is stored. One without
    /// seeds and a state from before is found on its own links alone, at once.</summary>
    public Task WaitUntilReadyAsync(CancellationToken cancellationToken = default) => _ready.Task.WaitAsync(cancellationToken);

    /// <summary>Opens a session with a device of <paramref name="peer"/>, over whatever path there is; the best one is moved to by itself.</summary>
    /// <param name="peer">Whom to reach.</param>
    /// <param name="protocol">What to speak. The peer's refusal shows as the session's end: <see cref="CarrierError.ProtocolNotSpoken"/>.</param>
    /// <param name="cancellationToken">Gives the dial up.</param>
    /// <exception cref="CarrierException">The peer was not reached; its error says why.</exception>
    public Task<CarrierSession> ConnectAsync(TrustId peer, string protocol, CancellationToken cancellationToken = default) =>
        ConnectAsync(peer, protocol, ConnectOptions.Default, cancellationToken);

    /// <param name="peer">Whom to reach.</param>
    /// <param name="protocol">What to speak.</param>
    /// <param name="options">What holds for this session only.</param>
    /// <param name="cancellationToken">Gives the dial up.</param>
    /// <inheritdoc cref="ConnectAsync(TrustId, string, CancellationToken)"/>
    public async Task<CarrierSession> ConnectAsync(TrustId peer, string protocol, ConnectOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(protocol);
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            return await new PendingDial(_thread, peer, protocol, options).RunAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (CarrierException e)
        {
            NodeLog.DialFailed(_logger, e.Error);
            throw;
        }
    }

    /// <summary>Has sessions for <paramref name="protocol"/> handled until the result is disposed. The session is closed when its handler returns.</summary>
    /// <param name="protocol">What peers name when they connect.</param>
    /// <param name="handler">Begins where the node wakes the application and may block: the network and others go on without it. Its token is cancelled when the node stops. What it throws is logged and closes the session.</param>
    /// <exception cref="InvalidOperationException">The protocol has a handler already.</exception>
    public IDisposable Listen(string protocol, Func<CarrierSession, CancellationToken, Task> handler)
    {
        ArgumentException.ThrowIfNullOrEmpty(protocol);
        ArgumentNullException.ThrowIfNull(handler);
        if (!_listeners.TryAdd(protocol, handler))
        {
            throw new InvalidOperationException($"The protocol '{protocol}' has a handler already.");
        }

        _thread.Post(new NetworkCall<bool>(_ =>
        {
            _thread.Machine.Listen(protocol);
            return true;
        }));
        return new Subscription(this, protocol);
    }

    /// <summary>Looks a TrustID's devices up. None is no error.</summary>
    /// <exception cref="CarrierException">The network could not be asked.</exception>
    public Task<Resolution> ResolveAsync(TrustId peer, CancellationToken cancellationToken = default) =>
        new PendingResolve(_thread, peer).RunAsync(cancellationToken);

    public async Task<NodeStatus> GetStatusAsync(CancellationToken cancellationToken = default)
    {
        NodeReport report = await _thread.AskAsync(_thread.Machine.Report).WaitAsync(cancellationToken).ConfigureAwait(false);
        return new NodeStatus
        {
            TrustId = TrustId,
            IsServing = report.IsServing,
            IsReady = report.IsReady,
            LocalEndpoints = LocalEndpoints,
            Candidates = report.Candidates,
            Mapping = report.Mapping,
            Homes = [.. report.Homes.Select(home => new SeedAddress(home.Key, home.Endpoint))],
            TableNodes = report.TableNodes,
            EstimatedNetworkSize = report.EstimatedNetworkSize,
            StoredRecords = report.StoredRecords,
            Sessions = report.Sessions,
            Registrations = report.Registrations,
            RelayChannels = report.RelayChannels,
            RelayedBytes = report.RelayedBytes,
            Drops = Enum.GetValues<DropReason>().Where(reason => Drops[reason] > 0).ToDictionary(reason => reason, reason => Drops[reason]),
        };
    }

    /// <summary>The sessions that live now.</summary>
    public Task<IReadOnlyList<PeerStatus>> GetPeersAsync(CancellationToken cancellationToken = default) =>
        _thread.AskAsync<IReadOnlyList<PeerStatus>>(_ => [.. _thread.Sessions.Select(Describe)]).WaitAsync(cancellationToken);

    /// <summary>Begins the end of a serving node: it takes no device and opens no relay channel any more, so that those who ask go elsewhere, and goes on relaying.</summary>
    public Task DrainAsync(CancellationToken cancellationToken = default) =>
        _thread.AskAsync(_ =>
        {
            _thread.Machine.Drain();
            return true;
        }).WaitAsync(cancellationToken);

    /// <summary>Says goodbye to peers and homes, ends sessions and handlers, keeps the state. Any number of times.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_stop)
        {
            _disposal ??= StopAsync();
        }

        return new ValueTask(_disposal);
    }

    private static PeerStatus Describe(SessionDriver session) => new()
    {
        Peer = session.Node.Peer,
        Protocol = session.Node.Protocol,
        IsOutgoing = session.Node.IsInitiator,
        Path = session.PathNow(),
        BytesSent = session.Machine.Statistics.BytesSent,
        BytesReceived = session.Machine.Statistics.BytesReceived,
    };

    private sealed class Subscription(CarrierNode node, string protocol) : IDisposable
    {
        private int _isDisposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
            {
                node._listeners.Remove(protocol);
                node._thread.Post(new NetworkCall<bool>(_ =>
                {
                    node._thread.Machine.StopListening(protocol);
                    return true;
                }));
            }
        }
    }
}
