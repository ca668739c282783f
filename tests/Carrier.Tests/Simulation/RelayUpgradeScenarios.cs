using Carrier.Core;
using Carrier.Node.Relay;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Data flows over the relay at once, and moves to the direct path under way where there is one.</summary>
public class RelayUpgradeScenarios(ITestOutputHelper output)
{
    private static readonly TimeSpan RelayedRoundTrip = TimeSpan.FromMilliseconds(80); // four links of 10 ms each way

    [Theory]
    [InlineData(51)]
    [InlineData(52)]
    [InlineData(53)]
    public void Upgrade_to_the_direct_path_loses_nothing_and_hardly_stalls(ulong seed)
    {
        using SimulatedWorld world = new(seed);
        NodeSession session = Connect(world, NatBehaviour.EndpointIndependent, out PatternTraffic up, out PatternTraffic down);
        Assert.True(session.Machine.Path.IsRelayed, "the first answer comes over the relay");
        const long Bytes = 20_000_000;
        up.Send(session, 1, Bytes);
        bool whole = world.Network.RunUntil(() => down.StreamsFinished == 1, TimeSpan.FromSeconds(60));
        output.WriteLine($"seed {seed}: longest stall {down.LongestStall.TotalMilliseconds:F0} ms, {session.Machine.Statistics.PacketsLost} lost, {world.Network.Now}");
        Assert.True(whole, $"seed {seed}: {down.ReceivedBytes} of {Bytes}");
        Assert.False(session.Machine.Path.IsRelayed);
        Assert.InRange(down.LongestStall, TimeSpan.Zero, RelayedRoundTrip + TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public void Symmetric_ends_stay_on_the_relay_and_get_what_it_gives()
    {
        using SimulatedWorld world = new(54);
        NodeSession session = Connect(world, NatBehaviour.AddressAndPortDependent, out PatternTraffic up, out PatternTraffic down);
        Instant start = world.Network.Now;
        up.Send(session, 1, 200_000_000);
        world.Network.RunFor(TimeSpan.FromSeconds(10));
        double rate = down.ReceivedBytes / (world.Network.Now - start).TotalSeconds;
        output.WriteLine($"{rate / 1e6:F1} MB/s over a relay of {new RelayBudgets().Channel.PerSecond / 1e6:F0} MB/s a channel, {session.Machine.Statistics.PacketsLost} lost");
        Assert.True(session.Machine.Path.IsRelayed);
        RelayBudgets budgets = new();
        Assert.InRange(rate, budgets.Channel.PerSecond / 2, budgets.Channel.PerSecond + (budgets.Channel.Burst / 10));
    }

    // Nothing passes straight between the two for a moment, as where a NAT needs several tries: else the first answer comes directly.
    private static void ShutDirectPath(SimulatedWorld world, SimulatedNode a, SimulatedNode b)
    {
        Instant until = world.Network.Now + TimeSpan.FromMilliseconds(350);
        world.Network.Tap = (from, to, _) => world.Network.Now >= until
            || !((from == a.Host && to.WithPort(0) == b.Host.Nat!.PublicAddress) || (from == b.Host && to.WithPort(0) == a.Host.Nat!.PublicAddress));
    }

    private static NodeSession Connect(SimulatedWorld world, NatBehaviour mapping, out PatternTraffic up, out PatternTraffic down)
    {
        for (int i = 0; i < 3; i++)
        {
            world.AddServing();
        }

        SimulatedNode a = world.AddDeviceBehind(mapping, NatBehaviour.AddressAndPortDependent);
        SimulatedNode b = world.AddDeviceBehind(mapping, NatBehaviour.AddressAndPortDependent);
        b.Machine.Listen("bulk");
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        up = new PatternTraffic(world.Network, a);
        down = new PatternTraffic(world.Network, b);
        ShutDirectPath(world, a, b);
        ulong dial = a.Dial(b.Identity!.TrustId, "bulk");
        Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(dial), TimeSpan.FromSeconds(15)), $"seed {world.Network.Seed}: no session");
        return a.Dialed[dial];
    }
}
