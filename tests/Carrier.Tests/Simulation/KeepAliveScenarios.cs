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
    [Fact]
    public void Device_at_rest_holds_a_mapping_for_each_home_and_one_more_while_it_tests_the_NAT()
    {
        using SimulatedWorld world = ReachWorld.New(81);
        VirtualNat nat = world.NewSymmetricNat(NatPorts.Random, TimeSpan.FromSeconds(120), newFlowTimeout: TimeSpan.FromSeconds(30));
        SimulatedNode device = world.AddDeviceBehind(nat);
        world.Bootstrap();
        world.Network.RunFor(TimeSpan.FromMinutes(1)); // what was tested at once is over
        Assert.Equal(3, MostHeld(TimeSpan.FromMinutes(3.5)));
        Assert.Equal(15, Interval());
        Assert.Equal(4, MostHeld(TimeSpan.FromMinutes(1.5)));
        Assert.Equal(25, Interval());
        _ = MostHeld(TimeSpan.FromMinutes(2)); // the test's mapping runs out
        Assert.Equal(3, MostHeld(Hour));
        Assert.Equal(0, nat.LostInUse);

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
