using Carrier.Core;
using Carrier.Fuzz.Targets;
using Carrier.Nat;
using CsCheck;

namespace Carrier.Tests.Nat;

public sealed class NatDescriptionTests
{
    public static readonly NatDescription Golden = new(
        NatMapping.AddressAndPortDependent, NatFiltering.AddressAndPortDependent, PortAllocation.Sequential, 1, NatTraits.CarrierGrade | NatTraits.HasIPv6, 50_000, 1024, 65_535);

    private static readonly Endpoint[] Seeds = [.. Enumerable.Range(1, 16).Select(i => Addresses.Of($"198.51.{i}.1:4242"))];

    [Fact]
    public void Write_golden_has_the_golden_bytes_and_reads_back()
    {
        byte[] bytes = new byte[NatDescription.Bytes];
        Golden.Write(bytes);
        Assert.Equal(NatVectors.Get("nat-description"), bytes);
        Assert.True(NatDescription.TryRead(bytes, out NatDescription read));
        Assert.Equal(Golden, read);
        byte[] call = new byte[PunchCall.Bytes];
        new PunchCall(2, Addresses.Of("203.0.113.7:0"), Golden).Write(call);
        Assert.Equal(NatVectors.Get("punch-call"), call);
        Assert.True(PunchCall.TryRead(call, out PunchCall again));
        Assert.Equal((byte)2, again.Round);
    }

    [Fact]
    public void TryRead_hostile_bytes_never_throws()
    {
        HostileInput.Feed(NatVectors.Get("nat-description"), NatTargets.NatDescriptionRead);
        HostileInput.Feed(NatVectors.Get("punch-call"), NatTargets.PunchCallRead);
    }

    [Theory]
    [InlineData("10.0.0.1:0")]
    [InlineData("127.0.0.1:0")]
    [InlineData("224.0.0.1:0")]
    public void TryRead_of_a_call_to_no_public_address_is_refused(string address)
    {
        byte[] call = new byte[PunchCall.Bytes];
        new PunchCall(1, Addresses.Of(address), Golden).Write(call);
        Assert.False(PunchCall.TryRead(call, out _));
    }

    [Fact]
    public void Describe_ports_in_order_are_a_sequence_with_its_step_whatever_the_start()
    {
        Gen.Select(Gen.Int[1024, 65_535], Gen.Int[1, 4]).Sample((start, step) =>
        {
            NatDescription nat = Observed(start, start + step, start + (2 * step));
            Assert.True(nat.IsSequential);
            Assert.Equal(step, nat.Step);
            Assert.Equal((ushort)(start + (2 * step)), nat.LastPort);
        });
    }

    [Fact]
    public void Describe_a_sequence_of_which_much_was_not_seen_is_still_one()
    {
        NatDescription nat = Observed(65_400, 65_401, 65_402, 65_440, 65_510, 40, 300, 305);
        Assert.Equal((true, (sbyte)1, (ushort)305), (nat.IsSequential, nat.Step, nat.LastPort));
    }

    [Fact]
    public void Describe_a_sequence_whose_first_answers_came_in_reverse_is_rising()
    {
        NatDescription nat = Observed(5002, 5001, 5000, 5009, 5100);
        Assert.Equal((true, (sbyte)1), (nat.IsSequential, nat.Step));
    }

    /// <summary>Three seeds at the same distance, asked at once: their answers come in any order, and half of the nodes just started told their peers to look the wrong way.</summary>
    [Theory]
    [InlineData(5002, 5001, 5000)]
    [InlineData(5001, 5002, 5000)]
    [InlineData(5002, 5000, 5001)]
    [InlineData(1, 65_535, 65_534)]
    public void Describe_a_sequence_known_by_one_burst_alone_is_rising(int first, int second, int third)
    {
        NatDescription nat = Observed(first, second, third);
        Assert.Equal((true, (sbyte)1), (nat.IsSequential, nat.Step));
    }

    [Fact]
    public void Describe_a_sequence_that_went_on_downwards_is_falling()
    {
        NatDescription nat = Observed(5002, 5001, 5000, 4985);
        Assert.Equal((true, (sbyte)-1, (ushort)4985), (nat.IsSequential, nat.Step, nat.LastPort));
    }

    [Fact]
    public void Describe_many_ports_of_a_small_block_are_no_sequence()
    {
        Random draws = new(3);
        Assert.Equal(PortAllocation.Random, Observed([.. Enumerable.Range(0, 12).Select(_ => draws.Next(2048, 2304))]).Allocation);
    }

    [Fact]
    public void Describe_ports_of_a_small_block_are_a_range_that_holds_them()
    {
        NatDescription nat = Observed(2100, 2250, 2060);
        Assert.Equal(PortAllocation.Random, nat.Allocation);
        Assert.InRange(nat.LowestPort, 1024, 2060);
        Assert.InRange(nat.HighestPort, 2250, 4096);
        Assert.InRange(nat.RangePorts, 190, NatDescription.SmallRangePorts);
    }

    [Fact]
    public void Describe_many_ports_of_a_block_are_the_block()
    {
        Random draws = new(3);
        int exact = 0;
        for (int i = 0; i < 1_000; i++)
        {
            NatDescription nat = Observed([.. Enumerable.Range(0, 9).Select(_ => draws.Next(2048, 2304))]);
            exact += (nat.LowestPort, nat.HighestPort) == (2048, 2303) ? 1 : 0;
        }

        Assert.InRange(exact, 960, 1_000);
    }

    [Fact]
    public void Describe_scattered_ports_are_the_wide_range()
    {
        NatDescription nat = Observed(61_000, 9_000, 33_000);
        Assert.Equal((PortAllocation.Random, false), (nat.Allocation, nat.IsSequential));
        Assert.InRange(nat.RangePorts, 50_000, 64_512);
    }

    [Fact]
    public void Describe_one_port_for_all_depends_on_nobody()
    {
        NatDescription nat = Observed(4000, 4000, 4000);
        Assert.Equal(NatMapping.EndpointIndependent, nat.Mapping);
        Assert.Equal((false, PortAllocation.Unknown, 0), (nat.DependsOnPeer, nat.Allocation, nat.RangePorts));
    }

    [Fact]
    public void Describe_after_the_network_changed_knows_nothing()
    {
        ReflexiveAddresses addresses = Fed(61_000, 9_000, 33_000);
        addresses.Reset();
        Assert.Equal(default, addresses.Describe());
    }

    [Fact]
    public void Describe_says_what_the_interfaces_tell()
    {
        ReflexiveAddresses addresses = new(new DropCounters());
        addresses.SetHostEndpoints([Addresses.Of("100.72.1.2:4000"), Addresses.Of("[2001:db8::7]:4000")]);
        Assert.Equal(NatTraits.CarrierGrade | NatTraits.HasIPv6, addresses.Describe().Traits);
    }

    private static NatDescription Observed(params int[] ports) => Fed(ports).Describe();

    private static ReflexiveAddresses Fed(params int[] ports)
    {
        ReflexiveAddresses addresses = new(new DropCounters());
        for (int i = 0; i < ports.Length; i++)
        {
            addresses.Observe(Addresses.At(i), Seeds[i], Addresses.Of("203.0.113.7:1").WithPort((ushort)ports[i]));
        }

        return addresses;
    }
}
