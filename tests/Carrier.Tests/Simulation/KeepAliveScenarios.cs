using Carrier.Core;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>What an idle device behind a NAT sends to stay reachable: no more than its NAT asks for.</summary>
public class KeepAliveScenarios(ITestOutputHelper output)
{
    /// <summary>Enough for the test of the NAT, which begins after five minutes.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Theory]
    [InlineData(20, 15, 15)]
    [InlineData(30, 20, 25)]
    [InlineData(60, 25, 25)]
    [InlineData(120, 25, 25)]
    public void Keepalives_follow_the_lifetime_of_the_mapping_and_never_lose_it(int natSeconds, double least, double most)
    {
        using SimulatedWorld world = ReachWorld.New(71);
        VirtualNat nat = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, TimeSpan.FromSeconds(natSeconds));
        SimulatedNode device = world.AddDeviceBehind(nat);
        world.Bootstrap();
        world.Network.RunFor(Settling);
        int lost = nat.LostInUse;
        world.Network.RunFor(Hour);
        double interval = device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds;
        output.WriteLine($"NAT {natSeconds} s: keepalive every {interval:F1} s");
        Assert.InRange(interval, least, most);
        Assert.Equal(lost, nat.LostInUse);
        Assert.Equal(0, device.Host.ExtraSockets);
    }

    /// <summary>Connection tracking as Linux has it by default: a mapping of its own for each far end, and what was used for a moment only is not kept for long.</summary>
    [Theory]
    [InlineData(20, 15, 12)]
    [InlineData(30, 22.5, 4)]
    [InlineData(60, 25, 0)]
    [InlineData(120, 25, 0)]
    public void Device_at_rest_holds_a_mapping_for_each_home_and_none_besides_all_day(int natSeconds, double interval, int lostByTrying)
    {
        using SimulatedWorld world = ReachWorld.New(81);
        VirtualNat nat = world.NewSymmetricNat(NatPorts.Random, TimeSpan.FromSeconds(natSeconds), newFlowTimeout: TimeSpan.FromSeconds(Math.Min(30, natSeconds)));
        SimulatedNode device = world.AddDeviceBehind(nat);
        world.Bootstrap();
        world.Network.RunFor(TimeSpan.FromMinutes(1)); // what was tested at once is over
        Assert.Equal(3, MostHeld(TimeSpan.FromMinutes(3.5)));
        Assert.Equal(15, Interval());
        Assert.Equal(3, MostHeld(TimeSpan.FromMinutes(10)));
        Assert.Equal(interval, Interval());
        Assert.Equal(3, MostHeld(TimeSpan.FromHours(25)));
        Assert.Equal(interval, Interval());
        Assert.Equal(lostByTrying, nat.LostInUse); // two searches, one home at a time

        double Interval() => device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds;

        int MostHeld(TimeSpan time)
        {
            int most = 0;
            for (Instant end = world.Network.Now + time; world.Network.Now < end; world.Network.RunFor(TimeSpan.FromSeconds(1)))
            {
                most = Math.Max(most, nat.LiveMappings(world.Network.Now));
            }

            return most;
        }
    }

    /// <summary>Whichever home is silent, and whether its mapping is gone by then: the dialler asks the next one 150 ms later.</summary>
    [Theory]
    [InlineData(20)]
    [InlineData(120)]
    public void Dial_while_the_NAT_is_tried_is_served_as_ever(int natSeconds)
    {
        for (int second = 0; second < 60; second += 4)
        {
            using SimulatedWorld world = ReachWorld.New(100 + (ulong)second);
            SimulatedNode device = world.AddDeviceBehind(world.NewSymmetricNat(NatPorts.Random, TimeSpan.FromSeconds(natSeconds)));
            SimulatedNode dialler = world.AddDeviceBehind(world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent));
            device.Machine.Listen(ReachWorld.Protocol);
            world.Bootstrap();
            world.Network.RunFor(TimeSpan.FromSeconds(300 + second));
            (string outcome, TimeSpan took) = world.Dial(dialler, device);
            Assert.Equal("session", outcome);
            Assert.InRange(took.TotalMilliseconds, 0, 500);
        }
    }

    /// <summary>A NAT of one mapping for all peers that lets anybody in tells nothing by one home's silence: the others' keepalives are what holds it.</summary>
    [Fact]
    public void Mapping_for_all_peers_is_held_by_the_homes_in_turn()
    {
        for (ulong seed = 90; seed < 95; seed++)
        {
            using SimulatedWorld world = ReachWorld.New(seed);
            VirtualNat nat = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent, TimeSpan.FromSeconds(17));
            SimulatedNode device = world.AddDeviceBehind(nat);
            world.Bootstrap();
            world.Network.RunFor(Settling);
            Assert.Equal(25, device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds);
            int lost = nat.LostInUse;
            world.Network.RunFor(Hour);
            Assert.Equal(lost, nat.LostInUse);
        }
    }

    [Fact]
    public void Another_network_is_learnt_anew_from_the_shortest_interval()
    {
        using SimulatedWorld world = ReachWorld.New(72);
        SimulatedNode device = world.AddDeviceBehind(world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent));
        world.Bootstrap();
        world.Network.RunFor(Settling);
        Assert.Equal(25, device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds);
        VirtualNat mobile = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, TimeSpan.FromSeconds(20));
        world.Network.Move(device.Host, Endpoint.FromIPv4(0x0A000005, 40_009), mobile);
        device.Machine.SetHostEndpoints(world.Network.Now, [device.Host.Address]);
        device.Host.Pump();
        Assert.Equal(15, device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds);
        world.Network.RunFor(Hour);
        Assert.Equal(15, device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds);
        Assert.Equal(0, mobile.LostInUse);
    }

    [Fact]
    public void Loss_may_cost_a_longer_interval_and_never_a_mapping()
    {
        for (ulong seed = 74; seed < 79; seed++)
        {
            using SimulatedWorld world = ReachWorld.New(seed, new LinkProfile { Loss = 0.05 });
            VirtualNat nat = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, TimeSpan.FromSeconds(60));
            SimulatedNode device = world.AddDeviceBehind(nat);
            world.Bootstrap();
            world.Network.RunFor(Settling);
            int lost = nat.LostInUse;
            world.Network.RunFor(Hour);
            double interval = device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds;
            output.WriteLine($"seed {seed}: keepalive every {interval:F1} s");
            Assert.InRange(interval, 15, 25);
            Assert.Equal(lost, nat.LostInUse);
        }
    }

    [Fact]
    public void Router_that_restarts_is_learnt_anew()
    {
        using SimulatedWorld world = ReachWorld.New(80);
        VirtualNat nat = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        SimulatedNode device = world.AddDeviceBehind(nat);
        world.Bootstrap();
        world.Network.RunFor(Settling);
        nat.Restart();
        Assert.True(world.Network.RunUntil(() => device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds == 15, TimeSpan.FromSeconds(30)));
        Assert.True(world.Network.RunUntil(() => device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds == 25, Settling));
    }

    [Fact]
    public void What_was_learnt_is_learnt_anew_after_a_day()
    {
        using SimulatedWorld world = ReachWorld.New(82);
        SimulatedNode device = world.AddDeviceBehind(world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent));
        world.Bootstrap();
        world.Network.RunFor(Settling);
        Assert.Equal(25, device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds);
        Assert.True(world.Network.RunUntil(() => device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds == 15, TimeSpan.FromHours(24)));
        Assert.True(world.Network.RunUntil(() => device.Machine.Report(world.Network.Now).KeepAliveInterval.TotalSeconds == 25, Settling));
    }
}
