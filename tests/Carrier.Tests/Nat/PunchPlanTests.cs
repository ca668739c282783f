using Carrier.Core;
using Carrier.Nat;

namespace Carrier.Tests.Nat;

public sealed class PunchPlanTests
{
    private static readonly NatDescription Cone = new(NatMapping.EndpointIndependent);
    private static readonly NatDescription Open = Cone with { Filtering = NatFiltering.EndpointIndependent };
    private static readonly NatDescription ByAddress = Cone with { Filtering = NatFiltering.AddressDependent };
    private static readonly NatDescription Wide = new(NatMapping.AddressDependent, Allocation: PortAllocation.Random, LowestPort: 1024, HighestPort: 65_535);
    private static readonly NatDescription Block = Wide with { LowestPort = 4096, HighestPort = 4351 };
    private static readonly NatDescription Sequential = Wide with { Allocation = PortAllocation.Sequential, Step = 2, LastPort = 65_500 };

    public static TheoryData<NatDescription, NatDescription, PunchRole, PunchRole> Table => new()
    {
        { Cone, Cone, PunchRole.Simultaneous, PunchRole.Simultaneous },
        { default, Open, PunchRole.Simultaneous, PunchRole.Simultaneous },
        { Sequential, Cone, PunchRole.Call, PunchRole.Probe },
        { Block, Cone, PunchRole.Call, PunchRole.Probe },
        { Wide, Cone, PunchRole.Call, PunchRole.Probe },
        { Wide, default, PunchRole.Call, PunchRole.Probe },
        { Wide, Open, PunchRole.Simultaneous, PunchRole.Simultaneous },
        { Wide, ByAddress, PunchRole.Simultaneous, PunchRole.Simultaneous },
        { Sequential, ByAddress, PunchRole.Simultaneous, PunchRole.Simultaneous },
        { Block, Block, PunchRole.Birthday, PunchRole.Birthday },
        { Block, Sequential, PunchRole.Birthday, PunchRole.Birthday },
        { Block, Wide, PunchRole.Relay, PunchRole.Relay },
        { Block with { HighestPort = 5119 }, Block, PunchRole.Relay, PunchRole.Relay },
        { Wide, Wide with { Filtering = NatFiltering.AddressDependent }, PunchRole.Relay, PunchRole.Relay },
        { Sequential, Sequential, PunchRole.Mirror, PunchRole.Mirror },
        { Sequential, Wide, PunchRole.Relay, PunchRole.Relay },
        { Wide, Wide, PunchRole.Relay, PunchRole.Relay },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void For_both_ends_agree(NatDescription one, NatDescription other, PunchRole roleOfOne, PunchRole roleOfOther)
    {
        Assert.Equal(roleOfOne, PunchPlan.For(one, other).Role);
        Assert.Equal(roleOfOther, PunchPlan.For(other, one).Role);
        Assert.InRange(PunchPlan.For(one, other).Sockets, 0, PunchPlan.MaxSockets);
        Assert.InRange(PunchPlan.For(one, other).Probes, 0, PunchPlan.MaxProbes);
    }

    [Fact]
    public void For_two_cones_leaves_a_fresh_socket_for_when_challenges_fail()
    {
        PunchPlan plan = PunchPlan.For(Cone, Cone);
        Assert.Equal((1, 2, false), (plan.Sockets, plan.Attempts, plan.IsHeavy));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(256)]
    [InlineData(512)]
    public void For_two_blocks_leaves_half_of_ours_free(int ports)
    {
        PunchPlan plan = PunchPlan.For(Block with { HighestPort = (ushort)(4095 + ports) }, Block);
        Assert.Equal((ports / 2, true), (plan.Mappings, plan.IsHeavy));
    }

    [Fact]
    public void For_a_sequence_against_a_block_aims_as_often_as_the_block_can()
    {
        Assert.Equal(128, PunchPlan.For(Sequential, Block).Mappings);
        Assert.Equal(128, PunchPlan.For(Block, Sequential).Mappings);
    }

    [Fact]
    public void For_a_wide_range_meets_with_more_than_99_in_100()
    {
        double free = 1 - ((double)PunchPlan.For(Wide, Cone).Sockets / Wide.RangePorts);
        Assert.True(1 - Math.Pow(free, PunchPlan.For(Cone, Wide).Probes) > 0.999);
    }

    [Fact]
    public void TryTake_of_a_wide_range_meets_mappings_as_often_as_reckoned()
    {
        const int Attempts = 2_000;
        int met = 0;
        double probes = 0;
        for (int seed = 1; seed <= Attempts; seed++)
        {
            Random draws = new(seed);
            HashSet<int> mappings = [];
            while (mappings.Count < PunchPlan.MaxSockets)
            {
                _ = mappings.Add(draws.Next(1024, 65_536));
            }

            PortProbes walk = new(Instant.Zero, Wide, new SeededRandom((ulong)seed));
            int taken = 0;
            bool hit = false;
            while (!hit && walk.TryTake(Addresses.At(100), out ushort port))
            {
                taken++;
                hit = mappings.Contains(port);
            }

            met += hit ? 1 : 0;
            probes += taken;
        }

        Assert.InRange(met, Attempts * 0.998, Attempts);
        Assert.InRange(probes / Attempts, 200, 300); // 252 reckoned
    }

    [Fact]
    public void MirrorTarget_wraps_around() => Assert.Equal((ushort)(65_500 + 64 - 65_536), PunchPlan.MirrorTarget(Sequential));

    [Fact]
    public void TryTake_without_a_learnt_range_walks_all_ports_a_NAT_picks_from()
    {
        PortProbes probes = new(Instant.Zero, Wide with { LowestPort = 0, HighestPort = 0 }, new SeededRandom());
        HashSet<ushort> seen = [];
        while (probes.TryTake(Addresses.At(100), out ushort port))
        {
            Assert.InRange(port, 1024, ushort.MaxValue);
            Assert.True(seen.Add(port));
        }

        Assert.Equal(PunchPlan.MaxProbes, seen.Count);
    }

    [Fact]
    public void TryTake_of_a_sequence_begins_with_the_next_port()
    {
        PortProbes probes = new(Instant.Zero, Sequential with { LastPort = 5000 }, new SeededRandom());
        for (int i = 1; i <= PortProbes.FirstBurst; i++)
        {
            Assert.True(probes.TryTake(Instant.Zero, out ushort port));
            Assert.Equal(5000 + (2 * i), port);
        }

        Assert.False(probes.TryTake(Instant.Zero, out _));
    }

    [Fact]
    public void TryTake_of_mappings_toward_a_sequence_are_all_ahead_of_it_and_the_same_again()
    {
        PortProbes probes = new(Instant.Zero, Sequential with { LastPort = 5000 }, new SeededRandom(), limit: 40);
        ushort[] first = [.. TakeAll(probes)], again = [.. TakeAll(probes.Again(Addresses.At(7)))];
        Assert.Equal(Enumerable.Range(1, 40).Select(i => (ushort)(5000 + (2 * i))), first);
        Assert.Equal(first, again);
    }

    [Fact]
    public void TryTake_of_a_block_visits_every_port_once_at_most_500_a_second()
    {
        PortProbes probes = new(Instant.Zero, Block, new SeededRandom());
        HashSet<ushort> seen = [];
        int inFirstQuarter = 0;
        for (int milliseconds = 0; !probes.IsOver; milliseconds++)
        {
            while (probes.TryTake(Addresses.At(milliseconds / 1000.0), out ushort port))
            {
                Assert.InRange(port, Block.LowestPort, Block.HighestPort);
                Assert.True(seen.Add(port));
            }

            inFirstQuarter = milliseconds == 250 ? seen.Count : inFirstQuarter;
        }

        Assert.Equal(256, seen.Count);
        Assert.InRange(inFirstQuarter, 100, PortProbes.FirstBurst + 125);
    }

    [Fact]
    public void TryTake_of_a_wide_range_ends_after_the_allowed_number()
    {
        PortProbes probes = new(Instant.Zero, Wide, new SeededRandom());
        HashSet<ushort> seen = [];
        while (probes.TryTake(Addresses.At(100), out ushort port))
        {
            Assert.True(seen.Add(port));
        }

        Assert.Equal(PunchPlan.MaxProbes, seen.Count);
    }

    private static List<ushort> TakeAll(PortProbes probes)
    {
        List<ushort> ports = [];
        while (probes.TryTake(Addresses.At(100), out ushort port))
        {
            ports.Add(port);
        }

        return ports;
    }
}
