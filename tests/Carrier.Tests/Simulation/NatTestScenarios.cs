using Carrier.Core;
using Carrier.Nat;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>What a device learns of whom its NAT lets in, from two homes that knock when asked.</summary>
public class NatTestScenarios
{
    /// <summary>Enough for the test, and over before the next one (of how long mappings live) takes a socket.</summary>
    private static readonly TimeSpan TestTime = TimeSpan.FromSeconds(2);

    [Theory]
    [InlineData(NatKind.FullCone, NatFiltering.EndpointIndependent)]
    [InlineData(NatKind.AddressRestricted, NatFiltering.AddressDependent)]
    [InlineData(NatKind.Cone, NatFiltering.AddressAndPortDependent)]
    [InlineData(NatKind.Shifting, NatFiltering.AddressAndPortDependent)]
    [InlineData(NatKind.RandomCone, NatFiltering.EndpointIndependent)]
    [InlineData(NatKind.RandomRestricted, NatFiltering.AddressAndPortDependent)]
    [InlineData(NatKind.Sequential, NatFiltering.AddressAndPortDependent)]
    [InlineData(NatKind.Random, NatFiltering.AddressAndPortDependent)]
    public void Filtering_is_learnt_and_published(NatKind kind, NatFiltering expected)
    {
        using SimulatedWorld world = ReachWorld.New(61);
        SimulatedNode device = world.AddDeviceBehind(world.NewNat(kind));
        SimulatedNode other = world.AddPublicDevice();
        world.Bootstrap();
        world.Network.RunFor(TestTime);
        Assert.Equal(expected, device.Machine.Report(world.Network.Now).Nat.Filtering);
        Assert.False(device.Machine.Report(world.Network.Now).Nat.Traits.HasFlag(NatTraits.Hairpins));
        Assert.Equal(0, device.Host.ExtraSockets);
        Assert.Equal(expected, world.Resolve(other, device).Record.Nat.Filtering);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Hairpinning_is_learnt(bool hairpins)
    {
        using SimulatedWorld world = ReachWorld.New(62);
        SimulatedNode device = world.AddDeviceBehind(world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent, hairpins: hairpins));
        world.Bootstrap();
        world.Network.RunFor(TestTime);
        Assert.Equal(hairpins, device.Machine.Report(world.Network.Now).Nat.Traits.HasFlag(NatTraits.Hairpins));
    }

    [Fact]
    public void Another_network_is_tested_again()
    {
        using SimulatedWorld world = ReachWorld.New(63);
        SimulatedNode device = world.AddDeviceBehind(world.NewNat(NatKind.FullCone));
        world.Bootstrap();
        world.Network.RunFor(TestTime);
        world.Network.Move(device.Host, Endpoint.FromIPv4(0x0A000005, 40_009), world.NewNat(NatKind.AddressRestricted));
        device.Machine.SetHostEndpoints(world.Network.Now, [device.Host.Address]);
        device.Host.Pump();
        Assert.Equal(NatFiltering.Unknown, device.Machine.Report(world.Network.Now).Nat.Filtering);
        world.Network.RunFor(TestTime);
        Assert.Equal(NatFiltering.AddressDependent, device.Machine.Report(world.Network.Now).Nat.Filtering);
    }

    /// <summary>Loss must not make an open NAT look shut; nothing is claimed where the homes cannot be heard.</summary>
    [Fact]
    public void Loss_makes_no_open_nat_look_shut()
    {
        int known = 0;
        for (ulong seed = 64; seed < 84; seed++)
        {
            using SimulatedWorld world = ReachWorld.New(seed, new LinkProfile { Loss = 0.02 });
            SimulatedNode device = world.AddDeviceBehind(world.NewNat(NatKind.FullCone));
            world.Bootstrap();
            world.Network.RunFor(TestTime);
            NatFiltering filtering = device.Machine.Report(world.Network.Now).Nat.Filtering;
            Assert.True(filtering is NatFiltering.EndpointIndependent or NatFiltering.Unknown, $"seed {seed}: {filtering}");
            known += filtering == NatFiltering.EndpointIndependent ? 1 : 0;
        }

        Assert.InRange(known, 18, 20);
    }

    [Fact]
    public void Dial_of_an_open_nat_needs_no_home()
    {
        using SimulatedWorld world = ReachWorld.New(85);
        SimulatedNode a = world.AddDeviceBehind(world.NewNat(NatKind.Cone));
        SimulatedNode b = world.AddDeviceBehind(world.NewNat(NatKind.RandomCone));
        b.Machine.Listen(ReachWorld.Protocol);
        world.Bootstrap();
        world.Network.RunFor(TestTime);
        Instant start = world.Network.Now;
        Assert.True(world.Connect(a, b).IsDirect());
        Assert.InRange(world.Network.Now - start, TimeSpan.Zero, TimeSpan.FromMilliseconds(81)); // the lookup's round trip and the handshake's
    }
}
