using Carrier.Core;
using Carrier.Node.Dialing;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Devices whose network carries no UDP, tunnelled to seeds, among serving nodes that are reached by UDP alone.</summary>
public class BlockedScenarios(ITestOutputHelper output)
{
    public enum Kind
    {
        /// <summary>No UDP; a tunnel to each of the three seeds.</summary>
        Blocked,

        /// <summary>No UDP; a tunnel to one seed.</summary>
        BlockedToOne,

        /// <summary>Behind a port-restricted NAT.</summary>
        Cone,

        /// <summary>Behind a symmetric NAT.</summary>
        Symmetric,

        /// <summary>A public address.</summary>
        Public,
    }

    /// <summary>
    /// Devices without UDP see the nodes that tunnel for them. Among more nodes than keep a record, others' records lie where they do not reach, and theirs where
    /// nobody looks, unless their homes look up and put for them (without, among 66, five of the 25 pairs end NotFound).
    /// </summary>
    [Theory]
    [InlineData(20, 200)]
    [InlineData(66, 300)] // a home's lookup included
    public void All_find_each_other_among_nodes_most_without_tunnels(int nodes, int longest)
    {
        using SimulatedWorld world = NewWorld(nodes);
        Kind[] kinds = Enum.GetValues<Kind>();
        world.AssertAllMeet(kinds, kind => Add(world, kind), TimeSpan.FromMilliseconds(longest), output);
    }

    /// <summary>UDP passes again and the seeds that tunnelled die: the devices then know other nodes and homes, find and are found, and meet directly.</summary>
    [Fact]
    public void When_UDP_passes_again_all_nodes_are_in_reach()
    {
        using SimulatedWorld world = NewWorld(66);
        SimulatedNode[] seeds = [.. world.Nodes.Take(3)];
        SimulatedNode blocked = Add(world, Kind.Blocked), other = Add(world, Kind.Cone);
        blocked.Machine.Listen(ReachWorld.Protocol);
        other.Machine.Listen(ReachWorld.Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(60));
        world.Network.RunFor(TimeSpan.FromSeconds(30));
        blocked.Host.Tunnels = null;
        blocked.SetUdpBlocked(false);
        Array.ForEach(seeds, seed => blocked.SetTunnelled(seed.Host.Address, false));
        world.Network.RunFor(TimeSpan.FromSeconds(30));
        Array.ForEach(seeds, seed => seed.Kill());
        world.Network.RunFor(TimeSpan.FromMinutes(3));
        foreach ((SimulatedNode from, SimulatedNode to) in new[] { (blocked, other), (other, blocked) })
        {
            NodeSession session = world.Connect(from, to);
            Assert.True(world.Network.RunUntil(session.IsDirect, TimeSpan.FromSeconds(5)));
        }
    }

    /// <summary>The seeds answer nobody, which looks like a network without UDP, and serve no tunnel: the other nodes are asked by UDP nevertheless.</summary>
    [Fact]
    public void While_no_tunnel_is_open_nothing_is_out_of_reach()
    {
        using SimulatedWorld world = NewWorld(66);
        SimulatedNode from = Add(world, Kind.Cone), to = Add(world, Kind.Cone);
        to.Machine.Listen(ReachWorld.Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(60));
        world.Network.RunFor(TimeSpan.FromSeconds(30));
        Array.ForEach([.. world.Nodes.Take(3)], (SimulatedNode seed) => seed.Kill());
        world.Network.RunFor(TimeSpan.FromMinutes(3));
        from.SetUdpBlocked(true);
        to.SetUdpBlocked(true);
        _ = world.Connect(from, to);
    }

    /// <summary>Seeds enough that a device without UDP and its peer may have no home in common: tunnels to the peer's are opened for the dial, and carry the session when one of its homes dies.</summary>
    [Fact]
    public void Device_without_UDP_opens_a_tunnel_to_a_home_of_the_peer()
    {
        using SimulatedWorld world = ReachWorld.New(242);
        SimulatedNode blocked = Add(world, Kind.Blocked);
        SimulatedNode[] others = [.. Enumerable.Range(0, 4).Select(_ => world.AddServing())];
        world.Seeds.RemoveRange(0, 3);
        SimulatedNode peer = Add(world, Kind.Symmetric);
        peer.Machine.Listen(ReachWorld.Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(60));
        world.Network.RunFor(TimeSpan.FromSeconds(30));
        Endpoint[] homes = [.. world.Resolve(blocked, peer).Record.Homes.Select(home => home.Endpoint)];
        Assert.DoesNotContain(homes, blocked.Host.Tunnels!.Contains);

        Action<Endpoint> opens = blocked.OnTunnelWanted!;
        List<Endpoint> wanted = [];
        blocked.OnTunnelWanted = wanted.Add;
        Assert.Equal(nameof(DialFailure.Unreachable), world.Dial(blocked, peer).Outcome);
        Assert.Equal(homes.ToHashSet(), [.. wanted]);

        blocked.OnTunnelWanted = opens;
        (string outcome, TimeSpan took) = world.Dial(blocked, peer);
        output.WriteLine($"{outcome} after {took.TotalMilliseconds:F0} ms");
        Assert.Equal("session", outcome);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromMilliseconds(500));

        NodeSession session = blocked.Dialed.Values.Single();
        PatternTraffic sent = new(world.Network, blocked), received = new(world.Network, peer);
        sent.Send(session, streams: 1, bytesEach: 4 << 20);
        world.Network.RunFor(TimeSpan.FromMilliseconds(200));
        Assert.InRange(received.ReceivedBytes, 1, (4 << 20) - 1);
        others.Single(node => node.Host.Address == session.Machine.Path.Remote).Kill();
        Assert.True(world.Network.RunUntil(() => received.StreamsFinished == 1, TimeSpan.FromSeconds(20)), $"{received.ReceivedBytes} of {4 << 20} bytes came (seed 242)");
    }

    private static SimulatedWorld NewWorld(int nodes)
    {
        SimulatedWorld world = ReachWorld.New(241);
        while (world.Nodes.Count < nodes)
        {
            _ = world.AddServing(isSeed: false);
        }

        return world;
    }

    private static SimulatedNode Add(SimulatedWorld world, Kind kind) => kind switch
    {
        Kind.Blocked => world.AddBlockedDevice(world.Nodes[0], world.Nodes[1], world.Nodes[2]),
        Kind.BlockedToOne => world.AddBlockedDevice(world.Nodes[1]),
        Kind.Cone => world.AddDeviceBehind(world.NewNat(NatKind.Cone)),
        Kind.Symmetric => world.AddDeviceBehind(world.NewNat(NatKind.Random)),
        _ => world.AddPublicDevice(),
    };
}
