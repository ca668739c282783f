using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>What a node does that nobody wants anything of: as little as it can.</summary>
public class IdleScenarios
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
}
