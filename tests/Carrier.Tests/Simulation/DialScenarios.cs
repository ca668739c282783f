using Carrier.Core;
using Carrier.Node.Dialing;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Whole nodes dialling each other by TrustID over a virtual internet.</summary>
public class DialScenarios
{
    private const string Protocol = "test/1";

    [Fact]
    public void Dial_between_public_devices_connects()
    {
        using SimulatedWorld world = new(1);
        world.AddServing();
        SimulatedNode a = world.AddPublicDevice();
        SimulatedNode b = world.AddPublicDevice();
        b.Machine.Listen(Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        AssertConnects(world, a, b);
    }

    [Theory]
    [InlineData(NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent, true)]
    [InlineData(NatBehaviour.EndpointIndependent, NatBehaviour.AddressDependent, NatBehaviour.EndpointIndependent, NatBehaviour.AddressDependent, true)]
    [InlineData(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, true)]
    [InlineData(NatBehaviour.AddressAndPortDependent, NatBehaviour.AddressAndPortDependent, NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent, true)]
    [InlineData(NatBehaviour.AddressAndPortDependent, NatBehaviour.AddressAndPortDependent, NatBehaviour.AddressAndPortDependent, NatBehaviour.AddressAndPortDependent, false)]
    public void Dial_between_nats_connects_and_goes_direct_where_the_nats_permit(
        NatBehaviour mappingA, NatBehaviour filteringA, NatBehaviour mappingB, NatBehaviour filteringB, bool direct)
    {
        using SimulatedWorld world = new(2);
        world.AddServing();
        world.AddServing();
        world.AddServing();
        SimulatedNode a = world.AddDeviceBehind(mappingA, filteringA);
        SimulatedNode b = world.AddDeviceBehind(mappingB, filteringB);
        b.Machine.Listen(Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        ulong dial = AssertConnects(world, a, b);
        world.Network.RunFor(TimeSpan.FromSeconds(3));
        Assert.Equal(direct, !a.Dialed[dial].Machine.Path.IsRelayed);
        Assert.Equal(direct, !b.Incoming[0].Machine.Path.IsRelayed);
    }

    [Fact]
    public void Dial_to_an_unknown_id_fails_as_not_found()
    {
        using SimulatedWorld world = new(3);
        world.AddServing();
        SimulatedNode a = world.AddPublicDevice();
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        using Core.Identity.OwnerKey nobody = world.NewOwner();
        ulong dial = a.Dial(nobody.TrustId, Protocol);
        Assert.True(world.Network.RunUntil(() => a.Failed.ContainsKey(dial), TimeSpan.FromSeconds(20)));
        Assert.Equal(DialFailure.NotFound, a.Failed[dial]);
    }

    private static ulong AssertConnects(SimulatedWorld world, SimulatedNode a, SimulatedNode b)
    {
        Instant start = world.Network.Now;
        ulong dial = a.Dial(b.Identity!.TrustId, Protocol);
        bool connected = world.Network.RunUntil(() => a.Dialed.ContainsKey(dial) && b.Incoming.Count > 0, TimeSpan.FromSeconds(20));
        Assert.True(connected, $"seed {world.Network.Seed}: {(a.Failed.TryGetValue(dial, out DialFailure failure) ? failure.ToString() : "no outcome")} after {world.Network.Now - start}");
        return dial;
    }
}
