using System.Diagnostics;
using Carrier.Core.Session;
using Carrier.Node;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Sessions that live long: an hour of silence, gigabytes under many keys.</summary>
public class LongSessionScenarios(ITestOutputHelper output)
{
    [Theory]
    [InlineData(NatBehaviour.EndpointIndependent, 120)]
    [InlineData(NatBehaviour.EndpointIndependent, 30)]
    [InlineData(NatBehaviour.AddressAndPortDependent, 120)]
    [InlineData(NatBehaviour.AddressAndPortDependent, 30)]
    public void Session_idle_for_an_hour_outlives_NAT_timeouts_and_carries_data(NatBehaviour mapping, int timeoutSeconds)
    {
        using SimulatedWorld world = new(31);
        Add3Serving(world);
        TimeSpan timeout = TimeSpan.FromSeconds(timeoutSeconds);
        SimulatedNode a = world.AddDeviceBehind(mapping, NatBehaviour.AddressAndPortDependent, mappingTimeout: timeout);
        SimulatedNode b = world.AddDeviceBehind(mapping, NatBehaviour.AddressAndPortDependent, mappingTimeout: timeout);
        NodeSession session = Connect(world, a, b, out PatternTraffic up, out PatternTraffic down);
        world.Network.RunFor(TimeSpan.FromSeconds(5));
        Assert.Equal(mapping != NatBehaviour.EndpointIndependent, session.Machine.Path.IsRelayed);
        long eventsBefore = world.Network.EventsHandled;
        world.Network.RunFor(TimeSpan.FromHours(1));
        output.WriteLine($"{world.Network.EventsHandled - eventsBefore} events in the idle hour");
        Assert.Empty(up.Closes);
        Assert.Empty(down.Closes);
        up.Send(session, 1, 100_000);
        down.Send(b.Incoming[0], 1, 100_000);
        Assert.True(world.Network.RunUntil(() => up.StreamsFinished == 1 && down.StreamsFinished == 1, TimeSpan.FromSeconds(20)), "the session no longer carries data");
    }

    // The bar is 10 GB; this is 1 GB with a key update due every 2^12 packets in place of every 2^24, hence as often as the last one is
    // acknowledged and its old keys are gone: far more than 10 GB bring.
    [Fact]
    public void Gigabyte_arrives_whole_under_many_key_updates()
    {
        const long Bytes = 1_000_000_000;
        NodeOptions options = new() { Session = SessionOptions.Default with { KeyUpdatePackets = 1 << 12 } };
        using SimulatedWorld world = new(32, new LinkProfile(), options);
        Add3Serving(world);
        SimulatedNode a = world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        SimulatedNode b = world.AddPublicDevice();
        NodeSession session = Connect(world, a, b, out PatternTraffic up, out PatternTraffic down);
        var clock = Stopwatch.StartNew();
        up.Send(session, 1, Bytes);
        bool done = world.Network.RunUntil(() => down.StreamsFinished == 1, TimeSpan.FromHours(1));
        output.WriteLine($"{down.ReceivedBytes / 1e6:F0} MB, {session.Machine.Statistics.KeyUpdates} key updates, {clock.Elapsed.TotalSeconds:F1} s wall, {session.Machine.Statistics.PacketsLost} lost, {world.Network.Now}");
        Assert.True(done, $"{down.ReceivedBytes} bytes arrived");
        Assert.Equal(Bytes, down.ReceivedBytes);
        Assert.InRange(session.Machine.Statistics.KeyUpdates, 8, int.MaxValue);
    }

    private static void Add3Serving(SimulatedWorld world)
    {
        world.AddServing();
        world.AddServing();
        world.AddServing();
    }

    private static NodeSession Connect(SimulatedWorld world, SimulatedNode a, SimulatedNode b, out PatternTraffic up, out PatternTraffic down)
    {
        b.Machine.Listen("long");
        world.RunUntilReady(TimeSpan.FromSeconds(30));
        up = new PatternTraffic(world.Network, a);
        down = new PatternTraffic(world.Network, b);
        ulong dial = a.Dial(b.Identity!.TrustId, "long");
        Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(dial) && b.Incoming.Count > 0, TimeSpan.FromSeconds(20)), $"seed {world.Network.Seed}: no session");
        return a.Dialed[dial];
    }
}
