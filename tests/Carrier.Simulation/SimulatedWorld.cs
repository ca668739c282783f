using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Node;
using Carrier.Node.Homes;

namespace Carrier.Simulation;

/// <summary>A small internet of simulated nodes: serving nodes with public addresses, devices with and without NATs, each in a network of its own.</summary>
public sealed class SimulatedWorld(ulong seed, LinkProfile? link = null, NodeOptions? options = null) : IDisposable
{
    private const ushort NodePort = 4242;

    /// <summary>Silence by UDP for 500 ms, then TCP, TLS and the WebSocket's opening.</summary>
    private static readonly TimeSpan TunnelOpening = TimeSpan.FromMilliseconds(700);

    private static readonly TimeSpan WantedTunnelOpening = TimeSpan.FromMilliseconds(200);

    private readonly LinkProfile _link = link ?? new LinkProfile();
    private readonly NodeOptions _options = options ?? new NodeOptions();
    private readonly List<SimulatedNode> _nodes = [];
    private int _sites;

    public VirtualNetwork Network { get; } = new(seed);

    public IReadOnlyList<SimulatedNode> Nodes => _nodes;

    public List<HomeContact> Seeds { get; } = [];

    /// <summary>The seeds that have IPv6 too, at that address.</summary>
    public List<HomeContact> IPv6Seeds { get; } = [];

    /// <summary>Adds a serving node; the first ones are the seeds everybody begins with, and serve tunnels.</summary>
    public SimulatedNode AddServing(bool isSeed = true)
    {
        VirtualHost host = Network.AddPublicHost(NextPublicAddress(), _link);
        SimulatedNode node = Add(host, _options with { Serve = true, Advertise = host.Address, Seeds = [.. Seeds] }, owner: null, servesTunnels: isSeed);
        if (isSeed)
        {
            Seeds.Add(node.Contact);
        }

        return node;
    }

    /// <summary>Adds a serving node with both families. It is one node of the DHT, at its IPv4 address; who has IPv6 alone begins with the other (<see cref="IPv6Seeds"/>).</summary>
    public SimulatedNode AddDualStackServing()
    {
        SimulatedNode node = AddServing();
        Network.SetIPv6(node.Host, NextIPv6Address(node.Host.Address.Port));
        node.TellAddresses();
        IPv6Seeds.Add(new HomeContact(node.TransportKey.Public, node.Host.IPv6));
        return node;
    }

    /// <summary>Adds a device whose network has IPv6 alone, firewalled.</summary>
    public SimulatedNode AddIPv6Device()
    {
        using OwnerKey owner = NewOwner();
        return Add(Network.AddPublicHost(NextIPv6Address(NodePort), _link, firewalled: true), _options with { Seeds = [.. IPv6Seeds] }, owner);
    }

    /// <summary>Adds a device behind a NAT and, by IPv6, a firewall.</summary>
    public SimulatedNode AddDualStackDevice(VirtualNat nat)
    {
        VirtualHost host = Network.AddPrivateHost(nat, Endpoint.FromIPv4(0xC0A80102, (ushort)(40_000 + (_sites % 4))), _link, firewalled: true);
        Network.SetIPv6(host, NextIPv6Address(host.Address.Port));
        using OwnerKey owner = NewOwner();
        return Add(host, _options with { Seeds = [.. Seeds, .. IPv6Seeds] }, owner);
    }

    /// <summary>Adds a device with a public address that does not serve.</summary>
    public SimulatedNode AddPublicDevice(OwnerKey? owner = null) => AddDevice(Network.AddPublicHost(NextPublicAddress(), _link), owner);

    /// <summary>Adds a device behind a NAT of its own. Every home uses the same private subnet, so that private candidates collide.</summary>
    public SimulatedNode AddDeviceBehind(NatBehaviour mapping, NatBehaviour filtering, OwnerKey? owner = null, TimeSpan? mappingTimeout = null)
    {
        VirtualNat nat = NewNat(mapping, filtering, mappingTimeout);
        Endpoint inside = Endpoint.FromIPv4(0xC0A80102, (ushort)(40_000 + (_sites % 4)));
        return AddDevice(Network.AddPrivateHost(nat, inside, _link), owner);
    }

    /// <summary>Adds a device behind a NAT that was made for it.</summary>
    public SimulatedNode AddDeviceBehind(VirtualNat nat, OwnerKey? owner = null) =>
        AddDevice(Network.AddPrivateHost(nat, Endpoint.FromIPv4(0xC0A80102, (ushort)(40_000 + (_sites % 4))), _link), owner);

    /// <summary>Adds a device whose network carries no UDP. Some time after its start it has a tunnel to each of <paramref name="servers"/>, which sees it at an address of that connection's own.</summary>
    public SimulatedNode AddBlockedDevice(params SimulatedNode[] servers)
    {
        VirtualNat nat = NewSymmetricNat(NatPorts.Random, mappingTimeout: TimeSpan.FromDays(1));
        SimulatedNode device = AddDeviceBehind(nat);
        device.Host.Tunnels = [];
        device.OnTunnelWanted = remote => Network.Schedule(WantedTunnelOpening, () =>
        {
            if (_nodes.Find(node => node.ServesTunnels && node.Host.Address == remote) is { } server)
            {
                OpenTunnel(device, server);
            }
        });
        Network.Schedule(TunnelOpening, () =>
        {
            device.SetUdpBlocked(true);
            Array.ForEach(servers, server => OpenTunnel(device, server));
        });
        return device;
    }

    /// <summary>Adds another device to the network behind a NAT that has one already.</summary>
    public SimulatedNode AddNeighbour(VirtualNat nat, byte number) =>
        AddDevice(Network.AddPrivateHost(nat, Endpoint.FromIPv4(0xC0A80100u + number, 41_000), _link), owner: null);

    /// <summary>A port-restricted NAT that an unsolicited packet makes send to its sender from another port.</summary>
    public VirtualNat NewShiftingNat() => new(
        NextPublicAddress().WithPort(0), NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, Network.Random.Fork())
    { ShiftsPorts = true };

    /// <summary>A NAT with another port for every destination.</summary>
    public VirtualNat NewSymmetricNat(NatPorts ports, TimeSpan? mappingTimeout = null, TimeSpan? newFlowTimeout = null) => new(
        NextPublicAddress().WithPort(0), NatBehaviour.AddressAndPortDependent, NatBehaviour.AddressAndPortDependent, Network.Random.Fork(), mappingTimeout)
    { Ports = ports, NewFlowTimeout = newFlowTimeout };

    /// <summary>A carrier's NAT that does not keep ports: one random port for all destinations.</summary>
    public VirtualNat NewRandomPortNat(NatBehaviour filtering, bool hairpins = false) => new(
        NextPublicAddress().WithPort(0), NatBehaviour.EndpointIndependent, filtering, Network.Random.Fork())
    { PreservesPort = false, Hairpins = hairpins };

    /// <summary>A port-restricted home router on a carrier's network.</summary>
    /// <param name="carrier">The carrier's NAT.</param>
    /// <param name="number">Tells the homes of one carrier apart.</param>
    public VirtualNat NewHomeBehind(VirtualNat carrier, byte number) => new(
        Endpoint.FromIPv4(0x64400000u + number, 0), NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, Network.Random.Fork())
    { Carrier = carrier };

    /// <summary>Makes a NAT at an address of its own, for a device to move to.</summary>
    public VirtualNat NewNat(NatBehaviour mapping, NatBehaviour filtering, TimeSpan? mappingTimeout = null, bool hairpins = false, bool isolatesHosts = false) =>
        new(NextPublicAddress().WithPort(0), mapping, filtering, Network.Random.Fork(), mappingTimeout) { Hairpins = hairpins, IsolatesHosts = isolatesHosts };

    /// <summary>An address on the internet that nobody has: one /24 a site, spread over the unicast space so that no two share a source unit.</summary>
    public Endpoint NextPublicAddress()
    {
        int site = _sites++;
        uint address = (uint)(20 + (site / 65_536 % 60)) << 24 | (uint)(site / 256 % 256) << 16 | (uint)(site % 256) << 8 | 7;
        return Endpoint.FromIPv4(address, NodePort);
    }

    /// <summary>An IPv6 address that nobody has: one /48 a site.</summary>
    public Endpoint NextIPv6Address(ushort port)
    {
        Span<byte> address = [0x24, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(address[4..], (ushort)++_sites);
        _ = Endpoint.TryFromBytes(address, port, out Endpoint endpoint);
        return endpoint;
    }

    public OwnerKey NewOwner()
    {
        Span<byte> scalar = stackalloc byte[OwnerKey.PrivateBytes];
        Network.Random.Fill(scalar);
        scalar[0] &= 0x7F; // below the group's order
        return OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner) ? owner : throw new InvalidOperationException("A drawn scalar was zero.");
    }

    /// <summary>Runs until every device is ready; says which seed it was when one is not.</summary>
    public void RunUntilReady(TimeSpan limit)
    {
        int ready = 0; // nobody stops being ready, so each is looked at once
        bool AllReady()
        {
            while (ready < _nodes.Count && _nodes[ready].IsReady)
            {
                ready++;
            }

            return ready == _nodes.Count;
        }

        if (!Network.RunUntil(AllReady, limit))
        {
            throw new InvalidOperationException($"{_nodes.Count(node => !node.IsReady)} of {_nodes.Count} nodes are not ready after {limit} (seed {Network.Seed}).");
        }
    }

    public void Dispose() => _nodes.ForEach(node => node.Dispose());

    private void OpenTunnel(SimulatedNode device, SimulatedNode server)
    {
        Endpoint connection = device.Host.Nat!.Outbound(Network.Now, device.Host.Address, server.Host.Address);
        server.SetTunnelled(connection, true);
        _ = device.Host.Tunnels!.Add(server.Host.Address);
        device.SetTunnelled(server.Host.Address, true);
    }

    private SimulatedNode AddDevice(VirtualHost host, OwnerKey? owner)
    {
        using OwnerKey? made = owner is null ? NewOwner() : null;
        return Add(host, _options with { Seeds = [.. Seeds] }, owner ?? made);
    }

    private SimulatedNode Add(VirtualHost host, NodeOptions options, OwnerKey? owner, bool servesTunnels = false)
    {
        SimulatedNode node = new(Network, host, options, owner) { ServesTunnels = servesTunnels };
        _nodes.Add(node);
        return node;
    }
}
