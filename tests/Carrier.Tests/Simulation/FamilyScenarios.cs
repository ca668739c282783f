using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Dialing;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Devices with IPv4 alone, IPv6 alone or both, among serving nodes that have both.</summary>
public class FamilyScenarios(ITestOutputHelper output)
{
    public enum Kind
    {
        /// <summary>Behind a port-restricted NAT.</summary>
        IPv4,

        /// <summary>Behind a symmetric NAT.</summary>
        SymmetricIPv4,

        /// <summary>Firewalled.</summary>
        IPv6,

        /// <summary>A symmetric NAT, and by IPv6 a firewall.</summary>
        Both,
    }

    public static TheoryData<Kind, Kind> Pairs => new(
        from @from in Enum.GetValues<Kind>()
        from to in Enum.GetValues<Kind>()
        select (@from, to));

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Any_two_connect_and_those_with_IPv6_directly(Kind from, Kind to)
    {
        using SimulatedWorld world = NewWorld(201);
        SimulatedNode a = Add(world, from), b = Add(world, to);
        b.Machine.Listen(ReachWorld.Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        world.Network.RunFor(TimeSpan.FromSeconds(2));
        Instant begun = world.Network.Now;
        ulong dial = a.Dial(b.Identity!.TrustId, ReachWorld.Protocol);
        Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(dial), TimeSpan.FromSeconds(15)), a.Failed.TryGetValue(dial, out var why) ? why.ToString() : "no session");
        double session = (world.Network.Now - begun).TotalMilliseconds;
        bool isDirect = world.Network.RunUntil(() => !a.Dialed[dial].Machine.Path.IsRelayed, TimeSpan.FromSeconds(5));
        output.WriteLine($"{from} to {to}: session after {session:F0} ms, {(isDirect ? $"direct after {(world.Network.Now - begun).TotalMilliseconds:F0} ms" : "relayed")}, {a.Dialed[dial].Machine.Path}");
        Assert.InRange(session, 0, 500);
        bool bothHaveIPv6 = from is Kind.IPv6 or Kind.Both && to is Kind.IPv6 or Kind.Both;
        Assert.True(isDirect || !bothHaveIPv6, "relayed");
        Assert.True(!bothHaveIPv6 || !a.Dialed[dial].Machine.Path.Remote.IsIPv4);
    }

    /// <summary>From IPv4 to a network with IPv6 alone and back, twice, in the middle of a stream.</summary>
    [Theory]
    [InlineData(true, Kind.IPv4)]
    [InlineData(false, Kind.IPv4)]
    [InlineData(true, Kind.Both)]
    [InlineData(false, Kind.Both)]
    public void Change_of_family_is_survived(bool diallerMoves, Kind other)
    {
        List<double> stalls = [];
        for (ulong seed = 211; seed <= 213; seed++)
        {
            stalls.AddRange(ChangeFamily(seed, diallerMoves, moverSends: diallerMoves, other, changes: 4, TimeSpan.FromSeconds(4)));
        }

        stalls.Sort();
        output.WriteLine($"{(diallerMoves ? "dialler" : "dialled")} moves, the other has {other}: stalls of p50 {stalls[stalls.Count / 2]:F0} ms, most {stalls[^1]:F0} ms");
        Assert.InRange(stalls[stalls.Count / 2], 0, diallerMoves ? 500 : 1_000); // the dialler asks for a channel as soon as it moved; one that did not move learns by silence
        Assert.InRange(stalls[^1], 0, 2_000);
    }

    /// <summary>Both addresses stay and the default route of one family goes, then of the other, in the middle of a stream.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Change_of_route_alone_is_survived(bool diallerMoves)
    {
        List<double> stalls = ChangeFamily(214, diallerMoves, moverSends: diallerMoves, Kind.Both, changes: 4, TimeSpan.FromSeconds(4), addressesStay: true);
        output.WriteLine(string.Join(", ", stalls.Select(stall => $"{stall:F0} ms")));
        Assert.All(stalls, stall => Assert.InRange(stall, 0, diallerMoves ? 500 : 2_000));
    }

    /// <summary>
    /// The next change comes before the paths of the networks before were given up. They are no refuge, and are not refused the probes that prove them
    /// again for all that was sent over them while they worked: either cost seconds, or the session.
    /// </summary>
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void Changes_of_family_in_quick_succession_are_survived_over_a_relay(bool diallerMoves, bool moverSends)
    {
        List<double> stalls = [];
        for (ulong seed = 221; seed <= 224; seed++)
        {
            stalls.AddRange(ChangeFamily(seed, diallerMoves, moverSends, Kind.SymmetricIPv4, changes: 10, TimeSpan.FromSeconds(1.5)));
        }

        stalls.Sort();
        output.WriteLine($"{(diallerMoves ? "dialler" : "dialled")} moves, {(moverSends ? "and sends" : "the other sends")}: stalls of p50 {stalls[stalls.Count / 2]:F0} ms, most {stalls[^1]:F0} ms");
        Assert.InRange(stalls[stalls.Count / 2], 0, diallerMoves ? 500 : 1_000); // the dialler asks for a channel as soon as it moved; one that did not move learns by silence
        Assert.InRange(stalls[^1], 0, 2_000);
    }

    /// <summary>
    /// All serving nodes but the three seeds have IPv4 alone, so a device with IPv6 alone sees the seeds. Among more nodes than keep a record, others' records lie
    /// where it does not reach, and its own where nobody looks, unless its homes look up and put for it (without, among 66, three pairs end NotFound).
    /// </summary>
    [Theory]
    [InlineData(20)]
    [InlineData(66)]
    public void All_find_each_other_among_nodes_most_of_IPv4(int nodes)
    {
        using SimulatedWorld world = NewWorld(235);
        AddIPv4Serving(world, nodes);
        Kind[] kinds = [Kind.IPv4, Kind.IPv6, Kind.Both];
        world.AssertAllMeet(kinds, kind => Add(world, kind), TimeSpan.FromMilliseconds(1_000), output);
    }

    /// <summary>
    /// A network with IPv6 alone, on a machine that has an IPv4 address for its containers. Told of addresses alone the dialler asks the peer's homes by IPv4
    /// (Unreachable, after 6.8 s); told that no IPv4 route leads out, by IPv6.
    /// </summary>
    [Fact]
    public void Address_without_a_route_is_no_family()
    {
        using SimulatedWorld world = NewWorld(236);
        SimulatedNode a = Add(world, Kind.IPv6), b = Add(world, Kind.IPv4);
        a.TellAddresses([a.Host.Address, Endpoint.FromIPv4(0xAC110001, a.Host.Address.Port)], IPFamilies.IPv6);
        b.Machine.Listen(ReachWorld.Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        (string outcome, TimeSpan took) = world.Dial(a, b);
        output.WriteLine($"{outcome} after {took.TotalMilliseconds:F0} ms");
        Assert.Equal("session", outcome);
        Assert.InRange(took.TotalMilliseconds, 0, 200);
    }

    /// <summary>The seeds lose IPv4, so no home of the device with IPv6 alone can do anything for it: it learns so at once.</summary>
    [Fact]
    public void Without_a_home_of_both_families_a_dial_ends_not_found()
    {
        using SimulatedWorld world = NewWorld(235);
        AddIPv4Serving(world, 66);
        world.Network.RunFor(TimeSpan.FromSeconds(10));
        foreach (SimulatedNode seed in world.Nodes.Take(world.IPv6Seeds.Count))
        {
            Endpoint address = seed.Host.IPv6;
            world.Network.SetIPv6(seed.Host, default);
            world.Network.Move(seed.Host, address, nat: null);
            seed.TellAddresses();
        }

        SimulatedNode a = Add(world, Kind.IPv6), b = Add(world, Kind.IPv4);
        b.Machine.Listen(ReachWorld.Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(60));
        world.Network.RunFor(TimeSpan.FromSeconds(5));
        (string outcome, TimeSpan took) = world.Dial(a, b);
        output.WriteLine($"{outcome} after {took.TotalMilliseconds:F0} ms");
        Assert.Equal(nameof(DialFailure.NotFound), outcome);
        Assert.InRange(took.TotalMilliseconds, 0, 1_000);
    }

    /// <summary>How long a trickle over one session stalled at each change, in milliseconds.</summary>
    private static List<double> ChangeFamily(ulong seed, bool diallerMoves, bool moverSends, Kind other, int changes, TimeSpan between, bool addressesStay = false)
    {
        List<double> stalls = [];
        using SimulatedWorld world = NewWorld(seed);
        VirtualNat wifi = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        SimulatedNode mover = world.AddDualStackDevice(wifi), still = Add(world, other);
        Endpoint home = mover.Host.Address, mobile = mover.Host.IPv6;
        world.Network.SetIPv6(mover.Host, default);
        mover.TellAddresses();
        (SimulatedNode dialler, SimulatedNode dialled) = diallerMoves ? (mover, still) : (still, mover);
        dialled.Machine.Listen(ReachWorld.Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        PatternTraffic sending = new(world.Network, moverSends ? mover : still), receiving = new(world.Network, moverSends ? still : mover);
        world.Network.RunFor(TimeSpan.FromSeconds(2));
        ulong dial = dialler.Dial(dialled.Identity!.TrustId, ReachWorld.Protocol);
        Assert.True(world.Network.RunUntil(() => dialler.Dialed.ContainsKey(dial) && dialled.Incoming.Count > 0, TimeSpan.FromSeconds(15)));
        NodeSession session = diallerMoves == moverSends ? dialler.Dialed[dial] : dialled.Incoming[0];
        Trickle();
        for (int i = 0; i < changes; i++)
        {
            world.Network.RunFor(between);
            bool toIPv6 = i % 2 == 0;
            receiving.WatchStalls();
            WaitForMore(TimeSpan.FromSeconds(5));
            world.Network.Move(mover.Host, toIPv6 ? mobile : home, toIPv6 ? null : wifi);
            mover.TellAddresses(addressesStay ? [home, mobile] : mover.Host.Endpoints, toIPv6 ? IPFamilies.IPv6 : IPFamilies.IPv4);
            world.Network.RunFor(TimeSpan.FromMilliseconds(100));
            WaitForMore(TimeSpan.FromSeconds(20));
            stalls.Add(receiving.LongestStall.TotalMilliseconds);
            if (toIPv6 && other == Kind.Both)
            {
                Assert.True(world.Network.RunUntil(() => session.Machine.Path is { IsRelayed: false, Remote.IsIPv4: false }, TimeSpan.FromSeconds(4)), $"seed {seed}: {session.Machine.Path}");
            }
        }

        return stalls;

        void Trickle()
        {
            sending.Send(session, 1, 4000);
            world.Network.Schedule(TimeSpan.FromMilliseconds(60), Trickle);
        }

        void WaitForMore(TimeSpan limit)
        {
            long before = receiving.ReceivedBytes;
            Assert.True(world.Network.RunUntil(() => receiving.ReceivedBytes > before, limit), $"seed {seed}: lost, {session.Machine.State}, {session.Machine.Path}");
        }
    }

    private static SimulatedWorld NewWorld(ulong seed)
    {
        SimulatedWorld world = new(seed);
        for (int i = 0; i < 3; i++)
        {
            _ = world.AddDualStackServing();
        }

        return world;
    }

    private static void AddIPv4Serving(SimulatedWorld world, int nodes)
    {
        while (world.Nodes.Count < nodes)
        {
            _ = world.AddServing();
        }
    }

    private static SimulatedNode Add(SimulatedWorld world, Kind kind) => kind switch
    {
        Kind.IPv4 => world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent),
        Kind.SymmetricIPv4 => world.AddDeviceBehind(world.NewSymmetricNat(NatPorts.Random)),
        Kind.IPv6 => world.AddIPv6Device(),
        _ => world.AddDualStackDevice(world.NewSymmetricNat(NatPorts.Random)),
    };
}
