using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Nat;
using Carrier.Node;
using Carrier.Node.Dialing;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;

namespace Carrier.Simulation;

/// <summary>A shipped <see cref="NodeMachine"/> on a virtual host, with an identity made from the seed, and what its application was told.</summary>
public sealed class SimulatedNode : IDisposable
{
    /// <summary>Wall-clock time at virtual time zero: any fixed moment does.</summary>
    public static readonly UnixTime Epoch = new(1_800_000_000);

    private readonly VirtualNetwork _network;
    private readonly NodeOptions _options;
    private readonly SeededRandom _random;
    private readonly DeviceKeys? _device;
    private NodeSnapshot? _snapshot;

    internal SimulatedNode(VirtualNetwork network, VirtualHost host, NodeOptions options, OwnerKey? owner)
    {
        _network = network;
        _random = network.Random.Fork();
        _options = options;
        Host = host;
        TransportKey = TransportKey.Generate(_random);
        if (owner is not null)
        {
            _device = DeviceKeys.Generate(_random);
            Identity = new LocalIdentity(_device, Delegation.Issue(owner, _device, 1, Epoch - TimeSpan.FromDays(1), Epoch + TimeSpan.FromDays(365), DelegationUses.All));
        }

        host.AfterTurn = _ => DrainEffects();
        Start();
    }

    public VirtualHost Host { get; }

    public TransportKey TransportKey { get; }

    public LocalIdentity? Identity { get; }

    public NodeMachine Machine { get; private set; } = null!;

    public HomeContact Contact => new(TransportKey.Public, Host.Address);

    /// <summary>Sessions that stand, by the number of the dial that made them.</summary>
    public Dictionary<ulong, NodeSession> Dialed { get; } = [];

    public Dictionary<ulong, DialFailure> Failed { get; } = [];

    /// <summary>What searches found, by their number.</summary>
    public Dictionary<ulong, IReadOnlyList<PeerDevice>> Resolved { get; } = [];

    public List<NodeSession> Incoming { get; } = [];

    public List<DelegationVerdict> Refusals { get; } = [];

    /// <summary>What happened inside sessions, for whoever plays the application.</summary>
    public Action<SimulatedNode, NodeSession, SessionEffect>? OnSession { get; set; }

    /// <summary>Whether devices without UDP get a tunnel here.</summary>
    public bool ServesTunnels { get; init; }

    /// <summary>What opens a tunnel where the machine wants one; nothing where there are none.</summary>
    public Action<Endpoint>? OnTunnelWanted { get; set; }

    public bool IsReady => Machine.IsReady;

    public ulong Dial(TrustId peer, string protocol)
    {
        ulong operation = Machine.Dial(_network.Now, peer, protocol);
        Host.Pump();
        return operation;
    }

    /// <summary>Lets the application use a session and sends what comes of it.</summary>
    public void Use(NodeSession session, Action<SessionMachine> use)
    {
        use(session.Machine);
        Machine.Touch(_network.Now, session);
        Host.Pump();
    }

    /// <summary>Kills the process without a word; what was last saved is all that stays.</summary>
    public void Kill()
    {
        Host.Stop();
        Machine.Dispose();
    }

    public void Save() => _snapshot = Machine.Snapshot(_network.Now);

    public void Start()
    {
        Machine = new NodeMachine(_options, TransportKey, Identity, _random, new WallClock(Instant.Zero, Epoch), _network.Now);
        Machine.SetHostEndpoints(_network.Now, Host.Endpoints);
        if (_snapshot is { } snapshot)
        {
            Machine.Restore(_network.Now, snapshot);
        }

        Host.Start(Machine);
    }

    /// <summary>Tells the machine that the host's interfaces have other addresses.</summary>
    public void TellAddresses() => TellAddresses(Host.Endpoints, IPFamilies.Both);

    /// <summary>Tells the machine addresses, and which families have a route whatever the addresses are.</summary>
    public void TellAddresses(Endpoint[] hosts, IPFamilies routed)
    {
        Machine.SetHostEndpoints(_network.Now, hosts, routed);
        Host.Pump();
    }

    /// <summary>Tells the machine that UDP passes no longer, or again.</summary>
    public void SetUdpBlocked(bool isBlocked)
    {
        Machine.SetUdpBlocked(_network.Now, isBlocked);
        Host.Pump();
    }

    /// <summary>Tells the machine that an endpoint is reached through a tunnel, or no longer.</summary>
    public void SetTunnelled(Endpoint remote, bool isTunnelled)
    {
        Machine.SetTunnelled(_network.Now, remote, isTunnelled);
        Host.Pump();
    }

    public void Dispose()
    {
        Machine.Dispose();
        Identity?.Dispose();
        _device?.Dispose();
        TransportKey.Dispose();
    }

    private void DrainEffects()
    {
        bool touched = false;
        while (Machine.TryEffect(_network.Now, out NodeEffect effect))
        {
            switch (effect.Kind)
            {
                case NodeEffectKind.Dialed:
                    Dialed[effect.Operation] = effect.Session!;
                    break;
                case NodeEffectKind.DialFailed:
                    Failed[effect.Operation] = effect.Failure;
                    break;
                case NodeEffectKind.Resolved:
                    Resolved[effect.Operation] = effect.Devices!;
                    break;
                case NodeEffectKind.Incoming:
                    Incoming.Add(effect.Session!);
                    break;
                case NodeEffectKind.CloseSocket:
                    Host.CloseSocket(effect.Socket);
                    break;
                case NodeEffectKind.OpenTunnel:
                    OnTunnelWanted?.Invoke(effect.Remote);
                    break;
                case NodeEffectKind.HandshakeRefused:
                    Refusals.Add(effect.Refusal);
                    break;
                case NodeEffectKind.Session when OnSession is not null:
                    OnSession(this, effect.Session!, effect.InSession);
                    Machine.Touch(_network.Now, effect.Session!);
                    touched = true;
                    break;
                default:
                    break;
            }
        }

        if (touched)
        {
            Host.Pump();
        }
    }
}
