using Carrier.Core;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>What an idle device behind a NAT sends to stay reachable: no more than its NAT asks for.</summary>
public class KeepAliveScenarios(ITestOutputHelper output)
{
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(5);
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
}
