using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Driving;
using Carrier.Gateways;
using Carrier.Hosting;
using Carrier.Nat.Mdns;
using Carrier.Net;
using Carrier.Node;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.OnLink;
using Carrier.Tunnels;

namespace Carrier;

/// <content>Start, upkeep and end of a node.</content>
public sealed partial class CarrierNode
{
    /// <summary>How long a stopping node drives on so that its farewells leave.</summary>
    private static readonly TimeSpan FarewellPatience = TimeSpan.FromMilliseconds(300);

    /// <summary>How often clock, interfaces, figures and idle memory are looked at; interfaces also when the system says that they changed.</summary>
    private static readonly TimeSpan UpkeepInterval = TimeSpan.FromSeconds(10);

    /// <summary>How often the state is kept while the node runs.</summary>
    private static readonly TimeSpan StateInterval = TimeSpan.FromMinutes(5);

    /// <summary>What the wall clock may drift from the machine's before it is told anew.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(2);

    /// <summary>Bytes of a stream that wait in the machine, beside as many in the pipe before it, where many streams are busy.</summary>
    private const int MinUnsentBytes = 64 << 10;

    /// <summary>Everything received and not used, by reason.</summary>
    internal DropCounters Drops => _thread.Machine.Drops;

    internal SocketCounters Counters => _thread.Sockets.Counters;

    /// <summary>The latest figures, at most an upkeep interval old.</summary>
    internal NodeReport? LatestReport { get; private set; }

    /// <summary>Where tunnels are served, or null.</summary>
    internal IPEndPoint? TunnelEndpoint => _tunnelServer?.LocalEndpoint;

    /// <summary>The network thread's own bytes allocated so far.</summary>
    internal Task<long> ThreadAllocatedBytesAsync() => _thread.AskAsync(_ => GC.GetAllocatedBytesForCurrentThread());

    /// <summary>Dials and lookups the application waits for.</summary>
    internal Task<int> PendingOperationsAsync() => _thread.AskAsync(_ => _thread.Operations.Count);

    /// <summary>Live streams of all sessions, and slabs of memory out with them.</summary>
    internal Task<(int Streams, int Slabs)> HeldAsync() => _thread.AskAsync(now =>
        (_thread.Sessions.Sum(session => session.Machine.Statistics.LiveStreams), _thread.Machine.Report(now).OutstandingSlabs));

    private string OwnerName => TrustId.IsNone ? "no owner" : TrustId.ToString();

    void INodeEvents.OnReady()
    {
        NodeLog.Ready(_logger);
        _ = _ready.TrySetResult();
    }

    void INodeEvents.OnIncoming(Instant now, SessionDriver session) => _listeners.Begin(now, session);

    void INodeEvents.OnStopped() => _ready.TrySetException(Failures.NodeStopped());

    private static WallClock WallClockNow(Instant now) => new(now, new UnixTime(DateTimeOffset.UtcNow.ToUnixTimeSeconds()));

    private static UdpBinding BindingOf(CarrierNodeOptions options)
    {
        UdpBinding binding = new() { ForcedKind = options.ForcedSocketKind };
        binding = options.Listen switch
        {
            null => binding,
            var any when any.Address.Equals(IPAddress.IPv6Any) => binding with { Port = (ushort)any.Port },
            { AddressFamily: AddressFamily.InterNetwork } one => binding with { IPv4 = one.Address, IPv6 = null, Port = (ushort)one.Port },
            var one => binding with { IPv4 = null, IPv6 = one.Address, Port = (ushort)one.Port },
        };
        return options.Serve && options.Advertise is { } advertised
            ? binding.AnsweringFrom(advertised, HostEndpoints.OfThisMachine(advertised.Family, advertised.Port))
            : binding;
    }

    private static NodeOptions MachineOptions(CarrierNodeOptions options, HomeContact[] seeds, Endpoint advertised, DatagramSockets sockets)
    {
        NodeOptions defaults = new();
        return defaults with
        {
            Seeds = seeds,
            Serve = options.Serve,
            Advertise = advertised,
            Relay = options.Relay,
            DialTimeout = options.DialTimeout,
            Ciphers = options.ForcedCipher is { } cipher ? [cipher] : defaults.Ciphers,
            Dht = defaults.Dht with
            {
                ReachesIPv4 = sockets.IndexOf(AddressFamily.InterNetwork) >= 0,
                ReachesIPv6 = sockets.IndexOf(AddressFamily.InterNetworkV6) >= 0,
            },

            Session = defaults.Session with { CongestionControl = options.CongestionControl, MinUnsentBytes = MinUnsentBytes },

            // Streams of the SDK go both ways.
            Transport = defaults.Transport with { MaxUnidirectionalStreams = 0 },
        };
    }

    private void Start(HomeContact[] seeds)
    {
        _linkDiscovery = StartLinkDiscovery();
        _thread.OnTunnelWanted = home => Volatile.Read(ref _tunnelClient)?.Want(home);
        _thread.Start();
        NodeMetrics.Add(this);
        _upkeep = RunUpkeepAsync(_stop.Token);
        _portMapper = StartPortMapper();
        _tunnelServer = StartTunnelServer();
        _tunnelClient = _options.Serve || _options.TunnelPort == 0 || seeds.Length == 0 ? null : TunnelClient.Start(_thread, seeds, _options.TunnelPort, _logger);
        NodeLog.Started(_logger, OwnerName, string.Join(" and ", LocalEndpoints), _options.Serve);
    }

    /// <summary>Has the router forward a port to the IPv4 socket, for a node that may be behind one.</summary>
    private PortMapper? StartPortMapper()
    {
        Endpoint bound = _thread.Sockets.LocalEndpoint(AddressFamily.InterNetwork);
        if (!_options.PortMapping || _options.Serve || bound.Port == 0 || bound.Scope == AddressScope.Loopback)
        {
            return null;
        }

        IPAddress address = bound.ToIPEndPoint().Address;
        return PortMapper.Start(() => DefaultGateway.Find(bound.Port, address), SetMappedEndpoint, _logger);
    }

    /// <summary>Has the node found by multicast DNS, and find others, on the links where its sockets are heard.</summary>
    private LinkDiscovery? StartLinkDiscovery()
    {
        Endpoint[] bound = [.. LocalEndpoints.Where(local => local.Scope != AddressScope.Loopback)];
        if (!_options.MulticastDns || _options.Serve || _local is null || bound.Length == 0)
        {
            return null;
        }

        ushort port = bound[0].Port;
        MdnsMachine machine = new(_local.TrustId, _local.Delegation.Encoded.Span, port, SystemRandomSource.Shared, new DropCounters());
        LinkDiscovery discovery = LinkDiscovery.Start(machine, () => LinkInterfaces.Of(HostEndpoints.Of(_thread.Sockets), port), Meet, _logger);
        _thread.LinkDiscovery = discovery;
        _thread.Post(new NetworkCall<bool>(now =>
        {
            _thread.Machine.LookOnLinks(now);
            return true;
        }));
        return discovery;
    }

    private void Meet(LinkPeer found)
    {
        if (Delegation.TryParse(found.Delegation.Span, out Delegation? delegation) && delegation.TrustId == found.Peer)
        {
            PeerDevice device = new(delegation, new DeviceRecord { Candidates = found.Candidates }, Sequence: 0, Expiry: default);
            _thread.Post(new NetworkCall<bool>(now =>
            {
                _thread.Machine.Meet(now, device);
                return true;
            }));
        }
    }

    private TunnelServer? StartTunnelServer()
    {
        if (!_options.Serve || _options.TunnelListen is not { } listen)
        {
            return null;
        }

        try
        {
            return TunnelServer.Start(listen, _thread, _logger);
        }
        catch (SocketException e)
        {
            TunnelLog.NotServed(_logger, listen.Port, e.SocketErrorCode); // most devices have UDP: a seed without this is a seed
            return null;
        }
    }

    private void SetMappedEndpoint(Endpoint external) => _thread.Post(new NetworkCall<bool>(now =>
    {
        _thread.Machine.SetMappedEndpoint(now, external);
        return true;
    }));

    private async Task RunUpkeepAsync(CancellationToken cancellationToken)
    {
        using NetworkChanges changes = new(_logger);
        Instant keptAt = MonotonicClock.Now;
        Instant lookedAt = keptAt;
        Surroundings last = _surroundingsAtStart;
        try
        {
            while (true)
            {
                Surroundings current = last;
                if (await changes.WaitAsync(UpkeepInterval, cancellationToken).ConfigureAwait(false) || MonotonicClock.Now - lookedAt >= changes.LookInterval)
                {
                    lookedAt = MonotonicClock.Now;
                    current = Surroundings.Of(_thread.Sockets, _nodesToldOf);
                }

                bool isMoved = current.AreOther(last);
                last = current;
                LatestReport = await _thread.AskAsync(now => LookAround(now, isMoved ? current : null)).ConfigureAwait(false);
                if (_state.IsKept && MonotonicClock.Now - keptAt >= StateInterval)
                {
                    keptAt = MonotonicClock.Now;
                    _state.Write(await _thread.AskAsync(_thread.Machine.Snapshot).ConfigureAwait(false));
                }
            }
        }
        catch (OperationCanceledException)
        {
            return; // the node is disposed
        }
        catch (CarrierException)
        {
            return; // the network thread failed and has said so
        }
    }

    private NodeReport LookAround(Instant now, Surroundings? moved)
    {
        WallClock clock = WallClockNow(now);
        if ((clock.AtAnchor - _thread.Machine.Clock.At(now)).Duration() >= ClockTolerance)
        {
            _thread.Machine.SetClock(clock);
        }

        if (moved is not null)
        {
            _thread.Machine.SetHostEndpoints(now, moved.Hosts, moved.Routed);
            _linkDiscovery?.LookAround();
        }

        _thread.Machine.TrimMemory();
        _thread.Pool.Trim();
        return _thread.Machine.Report(now);
    }

    private async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _upkeep.ConfigureAwait(false);
        if (_linkDiscovery is not null)
        {
            await _linkDiscovery.DisposeAsync().ConfigureAwait(false);
        }

        Task unmapped = _portMapper?.DisposeAsync().AsTask() ?? Task.CompletedTask;
        Task cancelled = _listeners.CancelAsync();
        NodeSnapshot snapshot = await SayGoodbyeAsync().ConfigureAwait(false);
        await unmapped.ConfigureAwait(false);
        if (_tunnelClient is not null)
        {
            await _tunnelClient.DisposeAsync().ConfigureAwait(false);
        }

        if (_tunnelServer is not null)
        {
            await _tunnelServer.DisposeAsync().ConfigureAwait(false);
        }

        await _thread.DisposeAsync().ConfigureAwait(false);
        await cancelled.ConfigureAwait(false);
        await _listeners.WhenEndedAsync().ConfigureAwait(false);
        if (!snapshot.Dht.IsEmpty)
        {
            _state.Write(snapshot);
        }

        NodeMetrics.Remove(this);
        _local?.Dispose();
        _ownTransportKey?.Dispose();
        _listeners.Dispose();
        _stop.Dispose();
        NodeLog.Stopped(_logger, OwnerName);
    }

    /// <summary>Leaves, and lets the thread go around until the farewells of all sessions are sent.</summary>
    private async Task<NodeSnapshot> SayGoodbyeAsync()
    {
        NodeSnapshot snapshot = default;
        try
        {
            snapshot = await _thread.AskAsync(_thread.Machine.Snapshot).ConfigureAwait(false);
            int sessions = await _thread.AskAsync(now =>
            {
                int count = _thread.Sessions.Count;
                _thread.Machine.Leave(now);
                return count;
            }).ConfigureAwait(false);

            Instant end = MonotonicClock.Now + FarewellPatience;
            for (int sent = 0; sent < sessions && MonotonicClock.Now < end; sent += DatagramOutput.MaxBatchesPerTurn)
            {
                _ = await _thread.AskAsync(_ => true).ConfigureAwait(false);
            }
        }
        catch (CarrierException)
        {
            return snapshot; // the network thread failed: there is nobody left to say it
        }

        return snapshot;
    }
}
