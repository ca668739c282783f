using Carrier.Core;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Networks within networks: hosts that share a NAT, homes that share a carrier, carriers behind each other. All homes use the same private subnet.</summary>
public class TopologyScenarios(ITestOutputHelper output)
{
    private static readonly TimeSpan SoonDirect = TimeSpan.FromMilliseconds(500);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Two_hosts_of_one_home_meet_on_the_lan(bool hairpins)
    {
        using SimulatedWorld world = ReachWorld.New(201);
        VirtualNat home = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, hairpins: hairpins);
        NodeSession session = Meet(world, world.AddDeviceBehind(home), world.AddNeighbour(home, 77));
        Assert.Equal(AddressScope.Private, session.Machine.Path.Remote.Scope);
    }

    [Theory]
    [InlineData(NatPorts.Random)]
    [InlineData(NatPorts.Sequential)]
    public void Two_hosts_behind_one_symmetric_nat_meet_on_the_lan(NatPorts ports)
    {
        using SimulatedWorld world = ReachWorld.New(202);
        VirtualNat home = world.NewSymmetricNat(ports);
        NodeSession session = Meet(world, world.AddDeviceBehind(home), world.AddNeighbour(home, 77));
        Assert.Equal(AddressScope.Private, session.Machine.Path.Remote.Scope);
    }

    [Fact]
    public void Isolated_hosts_of_a_hairpinning_home_meet_by_its_outer_address()
    {
        using SimulatedWorld world = ReachWorld.New(203);
        VirtualNat home = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, hairpins: true, isolatesHosts: true);
        NodeSession session = Meet(world, world.AddDeviceBehind(home), world.AddNeighbour(home, 77));
        Assert.Equal(home.PublicAddress, session.Machine.Path.Remote.WithPort(0));
    }

    [Fact]
    public void Isolated_hosts_without_hairpinning_have_the_relay_within_half_a_second()
    {
        for (ulong seed = 204; seed < 209; seed++)
        {
            using SimulatedWorld world = ReachWorld.New(seed);
            VirtualNat home = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, isolatesHosts: true);
            (SimulatedNode a, SimulatedNode b) = (world.AddDeviceBehind(home), world.AddNeighbour(home, 77));
            b.Machine.Listen(ReachWorld.Protocol);
            world.Bootstrap();
            Instant start = world.Network.Now;
            NodeSession session = world.Connect(a, b);
            Assert.InRange(world.Network.Now - start, TimeSpan.Zero, TimeSpan.FromMilliseconds(500));
            world.Network.RunFor(TimeSpan.FromSeconds(20));
            Assert.True(session.Machine.Path.IsRelayed && session.Machine.State == Core.Session.SessionState.Open, $"seed {seed}");
        }
    }

    [Fact]
    public void Two_homes_of_one_hairpinning_carrier_meet()
    {
        using SimulatedWorld world = ReachWorld.New(210);
        VirtualNat carrier = world.NewRandomPortNat(NatBehaviour.AddressAndPortDependent, hairpins: true);
        NodeSession session = Meet(world, world.AddDeviceBehind(world.NewHomeBehind(carrier, 1)), world.AddDeviceBehind(world.NewHomeBehind(carrier, 2)));
        Assert.Equal(carrier.PublicAddress, session.Machine.Path.Remote.WithPort(0));
    }

    [Fact]
    public void Two_homes_of_two_carriers_meet()
    {
        using SimulatedWorld world = ReachWorld.New(211);
        VirtualNat[] carriers = [.. Enumerable.Range(0, 2).Select(_ => world.NewRandomPortNat(NatBehaviour.AddressAndPortDependent))];
        _ = Meet(world, world.AddDeviceBehind(world.NewHomeBehind(carriers[0], 1)), world.AddDeviceBehind(world.NewHomeBehind(carriers[1], 1)));
    }

    [Theory]
    [InlineData(NatPorts.Sequential, 500)]
    [InlineData(NatPorts.Block, 2_000)]
    [InlineData(NatPorts.Random, 10_000)]
    public void Home_behind_a_symmetric_carrier_meets_a_cone_from_both_sides(NatPorts ports, int withinMilliseconds)
    {
        foreach (bool dials in (bool[])[true, false])
        {
            using SimulatedWorld world = ReachWorld.New(212);
            SimulatedNode inner = world.AddDeviceBehind(world.NewHomeBehind(world.NewSymmetricNat(ports), 1));
            SimulatedNode outer = world.AddDeviceBehind(world.NewNat(NatKind.Cone));
            _ = Meet(world, dials ? inner : outer, dials ? outer : inner, TimeSpan.FromMilliseconds(withinMilliseconds));
        }
    }

    /// <summary>Somebody else in our own home has the very private endpoint that the peer has in its home: the packet that proves itself decides, not the address.</summary>
    [Theory]
    [InlineData(NatKind.Cone)]
    [InlineData(NatKind.Random)]
    public void Stranger_at_the_peers_private_endpoint_is_not_taken_for_the_peer(NatKind peers)
    {
        using SimulatedWorld world = ReachWorld.New(213);
        VirtualNat home = world.NewNat(NatKind.Cone);
        SimulatedNode a = world.AddNeighbour(home, 77);
        SimulatedNode b = world.AddDeviceBehind(world.NewNat(peers));
        VirtualHost stranger = world.Network.AddPrivateHost(home, b.Host.Address);
        Echo echo = new();
        stranger.Start(echo);
        NodeSession session = Meet(world, a, b, TimeSpan.FromSeconds(10));
        Assert.Equal(AddressScope.Global, session.Machine.Path.Remote.Scope);
        Assert.Equal(b.Identity!.TrustId, session.Peer);
        Assert.True(echo.Heard > 0, "it was tried");
    }

    /// <summary>A dead home, a candidate that swallows, a stranger on the LAN: none of them holds back the rest.</summary>
    [Fact]
    public void Dead_home_costs_no_more_than_the_wait_for_the_next()
    {
        for (ulong seed = 214; seed < 224; seed++)
        {
            using ReachPair pair = new(seed, NatKind.Cone, NatKind.Cone);
            Endpoint first = pair.B.Machine.Report(pair.World.Network.Now).Homes[0].Endpoint;
            pair.World.Nodes.Single(node => node.Host.Address == first).Kill();
            TimeSpan direct = pair.DialUntilDirect(TimeSpan.FromSeconds(5), out _);
            output.WriteLine($"seed {seed}: direct after {direct.TotalMilliseconds:F0} ms");
            Assert.InRange(direct, TimeSpan.Zero, TimeSpan.FromMilliseconds(500));
        }
    }

    /// <summary>Four in a hundred lost each way, 100 ms round trip.</summary>
    [Theory]
    [InlineData(NatKind.Cone, NatKind.Cone)]
    [InlineData(NatKind.Random, NatKind.Cone)]
    public void Every_dial_connects_through_loss(NatKind from, NatKind to)
    {
        const int Trials = 100;
        List<double> times = [];
        for (ulong seed = 301; seed < 301 + Trials; seed++)
        {
            LinkProfile lossy = new() { Delay = TimeSpan.FromMilliseconds(25), Loss = 0.02 }; // two links each way
            using ReachPair pair = new(seed, from, to, lossy);
            Instant start = pair.World.Network.Now;
            _ = pair.World.Connect(pair.A, pair.B);
            times.Add((pair.World.Network.Now - start).TotalMilliseconds);
        }

        times.Sort();
        output.WriteLine($"{from} to {to}: {times.Count} of {Trials} connected, p50 {times[Trials / 2]:F0} ms, p90 {times[Trials * 9 / 10]:F0}, most {times[^1]:F0}");
        Assert.InRange(times[Trials / 2], 0, 500);
        Assert.InRange(times[^1], 0, 2_000);
    }

    private static NodeSession Meet(SimulatedWorld world, SimulatedNode from, SimulatedNode to, TimeSpan? within = null)
    {
        to.Machine.Listen(ReachWorld.Protocol);
        world.Bootstrap();
        ulong dial = from.Dial(to.Identity!.TrustId, ReachWorld.Protocol);
        TimeSpan time = world.TimeToDirect(() => from.Dialed.TryGetValue(dial, out NodeSession? stands) && stands.IsDirect(), within ?? SoonDirect);
        Assert.True(time < TimeSpan.MaxValue, $"seed {world.Network.Seed}: {(from.Dialed.ContainsKey(dial) ? "relayed" : "no session")} after {within ?? SoonDirect}");
        world.Network.RunFor(TimeSpan.FromSeconds(10));
        Assert.True(from.Dialed[dial].IsDirect() && to.Incoming[0].IsDirect(), $"seed {world.Network.Seed}: both ends stay direct");
        return from.Dialed[dial];
    }

    /// <summary>Sends back whatever it hears.</summary>
    private sealed class Echo : IDatagramMachine
    {
        private (Endpoint To, byte[] Datagram)? _answer;

        public int Heard { get; private set; }

        public Instant NextDeadline => Instant.Never;

        public void Handle(Instant now, Endpoint remote, Span<byte> datagrams, int segmentBytes, EcnCodepoint ecn)
        {
            Heard++;
            _answer = (remote, datagrams.ToArray());
        }

        public void HandleTimeout(Instant now)
        {
        }

        public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
        {
            transmit = default;
            if (_answer is not { } answer)
            {
                return false;
            }

            answer.Datagram.CopyTo(buffer);
            transmit = new Transmit(new NetworkPath(answer.To), answer.Datagram.Length, answer.Datagram.Length);
            _answer = null;
            return true;
        }
    }
}
