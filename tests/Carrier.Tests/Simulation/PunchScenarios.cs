using Carrier.Core;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>NATs whose ports have to be reckoned or met: what the plan promises for each pair, and what it costs the NATs.</summary>
public class PunchScenarios(ITestOutputHelper output)
{
    private const string Protocol = "test/1";

    // What a NAT holds for the node itself: homes, other nodes, candidates tried.
    private const int OwnMappings = 40;

    public enum Nat
    {
        Cone,
        Shifting,
        Sequential,
        Block,
        Random,
    }

    public static TheoryData<Nat, Nat, double> DirectPairs => new()
    {
        { Nat.Cone, Nat.Cone, 0.5 },
        { Nat.Cone, Nat.Shifting, 0.5 },
        { Nat.Shifting, Nat.Cone, 0.5 },
        { Nat.Shifting, Nat.Shifting, 0.5 },
        { Nat.Random, Nat.Shifting, 12 },
        { Nat.Cone, Nat.Sequential, 0.5 },
        { Nat.Sequential, Nat.Cone, 0.5 },
        { Nat.Sequential, Nat.Sequential, 1.5 },
        { Nat.Cone, Nat.Block, 2 },
        { Nat.Block, Nat.Cone, 2 },
        { Nat.Cone, Nat.Random, 12 },
        { Nat.Random, Nat.Cone, 12 },
    };

    [Theory]
    [MemberData(nameof(DirectPairs))]
    public void Dial_goes_direct_where_ports_can_be_reckoned_or_met(Nat from, Nat to, double withinSeconds)
    {
        List<double> times = [];
        for (ulong seed = 1; seed <= 10; seed++)
        {
            using SimulatedWorld world = NewWorld(seed);
            VirtualNat natA = NewNat(world, from);
            VirtualNat natB = NewNat(world, to);
            SimulatedNode a = world.AddDeviceBehind(natA);
            SimulatedNode b = world.AddDeviceBehind(natB);
            b.Machine.Listen(Protocol);
            world.RunUntilReady(TimeSpan.FromSeconds(20));
            Instant start = world.Network.Now;
            ulong dial = a.Dial(b.Identity!.TrustId, Protocol);
            bool direct = world.Network.RunUntil(() => a.Dialed.TryGetValue(dial, out NodeSession? session) && IsDirect(session), TimeSpan.FromSeconds(withinSeconds));
            Assert.True(direct, $"seed {seed}: {from} to {to} is not direct after {withinSeconds} s");
            times.Add((world.Network.Now - start).TotalMilliseconds);
            world.Network.RunFor(TimeSpan.FromSeconds(15));
            Assert.True(IsDirect(a.Dialed[dial]) && IsDirect(b.Incoming[0]), $"seed {seed}: both ends stay direct");
            Assert.InRange(a.Host.ExtraSockets + b.Host.ExtraSockets, 0, 12);
            Assert.InRange(Math.Max(natA.MostMappings, natB.MostMappings), 1, 256 + OwnMappings);
        }

        times.Sort();
        output.WriteLine($"{from} to {to}: direct after p50 {times[times.Count / 2]:F0} ms, most {times[^1]:F0} ms");
    }

    [Theory]
    [InlineData(Nat.Random, Nat.Random)]
    [InlineData(Nat.Random, Nat.Sequential)]
    public void Dial_stays_on_the_relay_where_neither_port_can_be_told(Nat from, Nat to)
    {
        using SimulatedWorld world = NewWorld(7);
        VirtualNat natA = NewNat(world, from);
        SimulatedNode a = world.AddDeviceBehind(natA);
        SimulatedNode b = world.AddDeviceBehind(NewNat(world, to));
        b.Machine.Listen(Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        ulong dial = a.Dial(b.Identity!.TrustId, Protocol);
        world.Network.RunFor(TimeSpan.FromSeconds(10));
        Assert.True(a.Dialed[dial].Machine.Path.IsRelayed);
        Assert.InRange(natA.MostMappings, 1, OwnMappings);
    }

    [Fact]
    public void Dials_of_many_to_one_symmetric_host_all_connect_and_all_become_direct_in_turn()
    {
        using SimulatedWorld world = NewWorld(11);
        SimulatedNode host = world.AddDeviceBehind(NewNat(world, Nat.Random));
        host.Machine.Listen(Protocol);
        SimulatedNode[] clients = [.. Enumerable.Range(0, 5).Select(_ => world.AddDeviceBehind(NewNat(world, Nat.Cone)))];
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        Instant start = world.Network.Now;
        ulong[] dials = [.. clients.Select(client => client.Dial(host.Identity!.TrustId, Protocol))];
        Assert.True(world.Network.RunUntil(() => clients.Zip(dials).All(dial => dial.First.Dialed.ContainsKey(dial.Second)), TimeSpan.FromSeconds(1)));
        Assert.True(world.Network.RunUntil(() => clients.Zip(dials).All(dial => IsDirect(dial.First.Dialed[dial.Second])), TimeSpan.FromSeconds(20)),
            $"{clients.Zip(dials).Count(dial => IsDirect(dial.First.Dialed[dial.Second]))} of 5 direct");
        output.WriteLine($"5 of 5 direct after {(world.Network.Now - start).TotalSeconds:F1} s");
    }

    private static bool IsDirect(NodeSession session) => !session.Machine.Path.IsRelayed;

    private static SimulatedWorld NewWorld(ulong seed)
    {
        SimulatedWorld world = new(seed);
        for (int i = 0; i < 3; i++)
        {
            world.AddServing();
        }

        return world;
    }

    private static VirtualNat NewNat(SimulatedWorld world, Nat nat) => nat switch
    {
        Nat.Cone => world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent),
        Nat.Shifting => world.NewShiftingNat(),
        Nat.Sequential => world.NewSymmetricNat(NatPorts.Sequential),
        Nat.Block => world.NewSymmetricNat(NatPorts.Block),
        _ => world.NewSymmetricNat(NatPorts.Random),
    };
}
