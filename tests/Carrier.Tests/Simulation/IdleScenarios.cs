using Carrier.Core;
using Carrier.Node.Homes;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>What a node does that nobody wants anything of: as little as it can.</summary>
public class IdleScenarios(ITestOutputHelper output)
{
    [Fact]
    public void Idle_device_and_seed_wake_only_for_what_is_due()
    {
        using SimulatedWorld world = new(1);
        SimulatedNode seed = world.AddServing();
        SimulatedNode device = world.AddPublicDevice();
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        world.Network.RunFor(TimeSpan.FromMinutes(1));

        int seedTurns = 0;
        int deviceTurns = 0;
        seed.Host.AfterTurn += _ => seedTurns++;
        device.Host.AfterTurn += _ => deviceTurns++;
        world.Network.RunFor(TimeSpan.FromMinutes(10));

        // A home is kept every 20 s or so and a silent node pinged every 30 s, each an exchange and the tick after it.
        Assert.InRange(deviceTurns, 1, 10 * 20);
        Assert.InRange(seedTurns, 1, 10 * 20);
    }

    [Fact]
    public void Idle_device_behind_a_NAT_costs_at_most_sixty_bytes_a_second()
    {
        const int Headers = 28; // IPv4 and UDP
        var time = TimeSpan.FromHours(1);
        using SimulatedWorld world = new(73);
        for (int i = 0; i < 30; i++)
        {
            _ = world.AddServing(isSeed: i < 3);
        }

        VirtualNat nat = world.NewSymmetricNat(NatPorts.Random, TimeSpan.FromSeconds(120), newFlowTimeout: TimeSpan.FromSeconds(30));
        SimulatedNode device = world.AddDeviceBehind(nat);
        world.RunUntilReady(TimeSpan.FromSeconds(30));
        world.Network.RunFor(TimeSpan.FromMinutes(5));
        long bytes = 0;
        world.Network.Tap = (from, to, datagram) =>
        {
            bool isOurs = from == device.Host || to.WithPort(0) == nat.PublicAddress;
            bytes += isOurs ? datagram.Length + Headers : 0;
            return true;
        };
        List<int> held = [];
        for (Instant end = world.Network.Now + time; world.Network.Now < end; world.Network.RunFor(TimeSpan.FromSeconds(1)))
        {
            held.Add(nat.LiveMappings(world.Network.Now));
        }

        double atRest = held.Count(mappings => mappings <= HomeMachine.MaxHomes) / (double)held.Count;
        output.WriteLine($"{bytes / time.TotalSeconds:F1} B/s both ways; mappings held: {held.Average():F2}, at most {held.Max()}, {HomeMachine.MaxHomes} for {atRest:P0} of the time");
        Assert.InRange(bytes / time.TotalSeconds, 1, 60);
        Assert.InRange(held.Average(), HomeMachine.MaxHomes, 3.6);
        Assert.InRange(atRest, 0.8, 1); // now and then one for a node of the DHT, and as many as keep the device's record while it is put again
    }
}
