using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Node.Dialing;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Processes die without a word: what stands goes on, what is new finds another way, what is gone is noticed.</summary>
public class KillScenarios(ITestOutputHelper output)
{
    private const string Protocol = "test/1";

    [Fact]
    public void Kill_of_a_seed_leaves_direct_sessions_and_new_dials_use_another()
    {
        using SimulatedWorld world = NewWorld(41, serving: 4);
        SimulatedNode a = AddBehind(world, NatBehaviour.EndpointIndependent);
        SimulatedNode b = AddBehind(world, NatBehaviour.EndpointIndependent);
        SimulatedNode late = AddBehind(world, NatBehaviour.AddressAndPortDependent);
        ulong dial = Connect(world, a, b);
        world.Network.RunFor(TimeSpan.FromSeconds(2));
        Assert.False(a.Dialed[dial].Machine.Path.IsRelayed);
        PatternTraffic up = new(world.Network, a);
        PatternTraffic down = new(world.Network, b);
        up.Send(a.Dialed[dial], 2, 2_000_000);
        Assert.True(world.Network.RunUntil(() => down.ReceivedBytes > 100_000, TimeSpan.FromSeconds(10)));
        world.Nodes[0].Kill();
        ulong second = late.Dial(b.Identity!.TrustId, Protocol);
        Instant killed = world.Network.Now;
        Assert.True(world.Network.RunUntil(() => late.Dialed.ContainsKey(second), TimeSpan.FromSeconds(15)), $"seed 41: {Outcome(late, second)}");
        output.WriteLine($"dialled through another seed in {(world.Network.Now - killed).TotalSeconds:F2} s");
        Assert.True(world.Network.RunUntil(() => down.StreamsFinished == 2, TimeSpan.FromSeconds(20)));
        Assert.Empty(up.Closes);
    }

    [Fact]
    public void Kill_of_the_relay_of_a_session_leaves_the_pair_able_to_dial_again()
    {
        using SimulatedWorld world = NewWorld(42, serving: 4);
        SimulatedNode a = AddBehind(world, NatBehaviour.AddressAndPortDependent);
        SimulatedNode b = AddBehind(world, NatBehaviour.AddressAndPortDependent);
        ulong dial = Connect(world, a, b);
        world.Network.RunFor(TimeSpan.FromSeconds(2));
        NetworkPath relayed = a.Dialed[dial].Machine.Path;
        Assert.True(relayed.IsRelayed);
        world.Nodes.Single(node => node.Host.Address == relayed.Remote).Kill();
        ulong second = a.Dial(b.Identity!.TrustId, Protocol);
        Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(second), TimeSpan.FromSeconds(15)), $"seed 42: {Outcome(a, second)}");
        Assert.NotEqual(relayed.Remote, a.Dialed[second].Machine.Path.Remote);
    }

    [Fact]
    public void Kill_of_all_seeds_leaves_known_peers_dialable_after_a_restart()
    {
        using SimulatedWorld world = NewWorld(43, serving: 3);
        SimulatedNode a = AddBehind(world, NatBehaviour.AddressAndPortDependent);
        SimulatedNode b = world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent);
        _ = Connect(world, a, b);
        a.Save();
        a.Kill();
        foreach (SimulatedNode seed in world.Nodes.Where(node => node.Identity is null))
        {
            seed.Kill();
        }

        a.Start();
        ulong dial = a.Dial(b.Identity!.TrustId, Protocol);
        Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(dial), TimeSpan.FromSeconds(15)), $"seed 43: {Outcome(a, dial)}");
        ulong stranger = a.Dial(world.NewOwner().TrustId, Protocol);
        Assert.True(world.Network.RunUntil(() => a.Failed.ContainsKey(stranger), TimeSpan.FromSeconds(20)));
        Assert.Equal(DialFailure.NetworkUnreachable, a.Failed[stranger]);
    }

    [Theory]
    [InlineData(NatBehaviour.EndpointIndependent)]
    [InlineData(NatBehaviour.AddressAndPortDependent)]
    public void Restart_of_a_device_makes_it_dialable_within_seconds(NatBehaviour mapping)
    {
        using SimulatedWorld world = NewWorld(44, serving: 3);
        SimulatedNode a = AddBehind(world, mapping);
        SimulatedNode b = AddBehind(world, mapping);
        _ = Connect(world, a, b);
        b.Kill();
        world.Network.RunFor(TimeSpan.FromSeconds(1));
        b.Start();
        b.Machine.Listen(Protocol);
        Instant restarted = world.Network.Now;
        ulong dial = a.Dial(b.Identity!.TrustId, Protocol);
        Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(dial), TimeSpan.FromSeconds(5)), $"seed 44: {Outcome(a, dial)}");
        output.WriteLine($"dialled {(world.Network.Now - restarted).TotalSeconds:F2} s after the restart");
    }

    [Fact]
    public void Peers_of_a_killed_device_learn_by_reset_when_it_restarts_and_by_silence_when_it_does_not()
    {
        using SimulatedWorld world = NewWorld(45, serving: 3);
        SimulatedNode a = AddBehind(world, NatBehaviour.EndpointIndependent);
        SimulatedNode restarting = AddBehind(world, NatBehaviour.EndpointIndependent);
        SimulatedNode gone = AddBehind(world, NatBehaviour.EndpointIndependent);
        ulong first = Connect(world, a, restarting);
        ulong second = Connect(world, a, gone);
        world.Network.RunFor(TimeSpan.FromSeconds(2));
        Dictionary<ulong, CloseKind> closes = [];
        a.OnSession = (_, session, effect) =>
        {
            if (effect.Kind == SessionEffectKind.Closed)
            {
                closes.Add(session.Id, session.Machine.CloseReason.Kind);
            }
        };
        restarting.Kill();
        gone.Kill();
        restarting.Start();
        Assert.True(world.Network.RunUntil(() => closes.Count == 2, TimeSpan.FromSeconds(90)), $"seed 45: {closes.Count} of 2 sessions closed");
        Assert.Equal(CloseKind.StatelessReset, closes[a.Dialed[first].Id]);
        Assert.Equal(CloseKind.IdleTimeout, closes[a.Dialed[second].Id]);
        Assert.Empty(a.Machine.Sessions);
        Assert.Equal(0, a.Machine.Report(world.Network.Now).OutstandingSlabs);
    }

    [Fact]
    public void Closed_sessions_leave_the_tables_of_both_ends_and_are_told_once()
    {
        using SimulatedWorld world = NewWorld(46, serving: 1);
        SimulatedNode a = world.AddPublicDevice();
        SimulatedNode b = world.AddPublicDevice();
        ulong dial = Connect(world, a, b);
        PatternTraffic told = new(world.Network, a);
        PatternTraffic heard = new(world.Network, b);
        a.Use(a.Dialed[dial], session => session.Close(world.Network.Now, 7, "done"));
        world.Network.RunFor(TimeSpan.FromSeconds(10));
        Assert.Single(told.Closes);
        Assert.Single(heard.Closes);
        Assert.Equal(7UL, heard.Closes[0].Code);
        Assert.Empty(a.Machine.Sessions);
        Assert.Empty(b.Machine.Sessions);
    }

    [Fact]
    public void Idle_device_that_lacks_homes_does_not_keep_waking()
    {
        using SimulatedWorld world = NewWorld(47, serving: 1); // three homes are wanted and one is there
        _ = world.AddPublicDevice();
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        world.Network.RunFor(TimeSpan.FromSeconds(30));
        long before = world.Network.EventsHandled;
        world.Network.RunFor(TimeSpan.FromMinutes(1));
        Assert.InRange(world.Network.EventsHandled - before, 1, 400); // two nodes tick each second; datagrams are few
    }

    private static SimulatedWorld NewWorld(ulong seed, int serving)
    {
        SimulatedWorld world = new(seed);
        for (int i = 0; i < serving; i++)
        {
            world.AddServing();
        }

        return world;
    }

    private static SimulatedNode AddBehind(SimulatedWorld world, NatBehaviour mapping) =>
        world.AddDeviceBehind(mapping, NatBehaviour.AddressAndPortDependent);

    private static ulong Connect(SimulatedWorld world, SimulatedNode a, SimulatedNode b)
    {
        b.Machine.Listen(Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        ulong dial = a.Dial(b.Identity!.TrustId, Protocol);
        int before = b.Incoming.Count;
        bool connected = world.Network.RunUntil(() => a.Dialed.ContainsKey(dial) && b.Incoming.Count > before, TimeSpan.FromSeconds(15));
        Assert.True(connected, $"seed {world.Network.Seed}: {Outcome(a, dial)}");
        return dial;
    }

    private static string Outcome(SimulatedNode node, ulong dial) =>
        node.Failed.TryGetValue(dial, out DialFailure failure) ? failure.ToString() : "no outcome";
}
