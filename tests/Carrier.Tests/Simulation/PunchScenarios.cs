using Carrier.Core;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>NATs whose ports have to be reckoned or met: what the plan promises for each pair, and what it costs the NATs.</summary>
public class PunchScenarios(ITestOutputHelper output)
{
    // What a NAT holds for the node itself: homes, other nodes, candidates tried.
    private const int OwnMappings = 40;

    /// <summary>From, to, the most that half of the dials may take in milliseconds, and any.</summary>
    public static TheoryData<NatKind, NatKind, int, int> DirectPairs => new()
    {
        { NatKind.Cone, NatKind.Cone, 150, 500 },
        { NatKind.Cone, NatKind.Shifting, 150, 500 },
        { NatKind.Shifting, NatKind.Cone, 150, 500 },
        { NatKind.Shifting, NatKind.Shifting, 150, 500 },
        { NatKind.RandomCone, NatKind.RandomCone, 150, 500 },
        { NatKind.RandomRestricted, NatKind.RandomRestricted, 150, 500 },
        { NatKind.AddressRestricted, NatKind.FullCone, 150, 500 },
        { NatKind.Cone, NatKind.Sequential, 300, 500 },
        { NatKind.Sequential, NatKind.Cone, 300, 500 },
        { NatKind.Sequential, NatKind.RandomRestricted, 300, 500 },
        { NatKind.Sequential, NatKind.Sequential, 300, 1_500 },
        { NatKind.Cone, NatKind.Block, 500, 2_000 },
        { NatKind.Block, NatKind.Cone, 500, 2_000 },
        { NatKind.Cone, NatKind.Random, 1_500, 12_000 },
        { NatKind.Random, NatKind.Cone, 1_500, 12_000 },
        { NatKind.Random, NatKind.Shifting, 1_500, 12_000 },
        { NatKind.RandomRestricted, NatKind.Random, 1_500, 12_000 },
        { NatKind.RandomCone, NatKind.Random, 300, 500 },
        { NatKind.Random, NatKind.RandomCone, 300, 500 },
        { NatKind.Random, NatKind.AddressRestricted, 300, 500 },
    };

    [Theory]
    [MemberData(nameof(DirectPairs))]
    public void Dial_goes_direct_where_ports_can_be_reckoned_or_met(NatKind from, NatKind to, int medianMilliseconds, int mostMilliseconds)
    {
        List<double> times = [];
        for (ulong seed = 1; seed <= 10; seed++)
        {
            using ReachPair pair = new(seed, from, to);
            times.Add(pair.DialUntilDirect(TimeSpan.FromMilliseconds(mostMilliseconds), out NodeSession? session).TotalMilliseconds);
            Assert.True(times[^1] <= mostMilliseconds, $"seed {seed}: {from} to {to} is not direct after {mostMilliseconds} ms");
            pair.World.Network.RunFor(TimeSpan.FromSeconds(15));
            Assert.True(session!.IsDirect() && pair.B.Incoming[0].IsDirect(), $"seed {seed}: both ends stay direct");
            Assert.InRange(pair.A.Host.ExtraSockets + pair.B.Host.ExtraSockets, 0, 12);
            Assert.InRange(Math.Max(pair.NatA.MostMappings, pair.NatB.MostMappings), 1, 256 + OwnMappings);
        }

        times.Sort();
        output.WriteLine($"{from} to {to}: direct after p50 {times[times.Count / 2]:F0} ms, most {times[^1]:F0} ms");
        Assert.InRange(times[times.Count / 2], 0, medianMilliseconds);
    }

    /// <summary>The nearest a router's record of an unsolicited packet comes: the peer's first one overtakes ours, or an old flow was forgotten while the peer still sends.</summary>
    [Theory]
    [InlineData(NatKind.Cone, NatKind.Shifting, true)]
    [InlineData(NatKind.Shifting, NatKind.Shifting, true)]
    [InlineData(NatKind.Shifting, NatKind.Cone, false)]
    [InlineData(NatKind.RandomRestricted, NatKind.Shifting, true)]
    public void Stray_packet_that_shifts_a_port_costs_an_attempt_and_not_the_direct_path(NatKind from, NatKind to, bool atDialled)
    {
        for (ulong seed = 21; seed <= 25; seed++)
        {
            using ReachPair pair = new(seed, from, to);
            (Endpoint a, Endpoint b) = (pair.NatA.OutsideOf(pair.A.Host.Address), pair.NatB.OutsideOf(pair.B.Host.Address));
            pair.World.Network.Inject(atDialled ? a : b, atDialled ? b : a, [0xFF], TimeSpan.Zero);
            pair.World.Network.RunFor(TimeSpan.FromMilliseconds(10));
            TimeSpan time = pair.DialUntilDirect(TimeSpan.FromSeconds(3), out _);
            Assert.True(time < TimeSpan.FromSeconds(1), $"seed {seed}: {from} to {to} direct after {time.TotalSeconds:F2} s");
            pair.World.Network.RunFor(TimeSpan.FromSeconds(60));
            Assert.True(pair.B.Incoming[0].IsDirect(), $"seed {seed}: direct still a minute later");
        }
    }

    [Theory]
    [InlineData(NatKind.Cone, 5)]
    [InlineData(NatKind.Cone, 100)]
    [InlineData(NatKind.Shifting, 25)]
    [InlineData(NatKind.Shifting, 40)]
    [InlineData(NatKind.Shifting, 200)]
    public void Dial_to_a_shifting_nat_is_as_direct_the_second_time(NatKind from, int secondsBetween)
    {
        for (ulong seed = 31; seed <= 33; seed++)
        {
            using ReachPair pair = new(seed, from, NatKind.Shifting);
            TimeSpan first = pair.DialUntilDirect(TimeSpan.FromSeconds(2), out NodeSession? session);
            pair.A.Use(session!, machine => machine.Close(pair.World.Network.Now, 0, "done"));
            pair.World.Network.RunFor(TimeSpan.FromSeconds(secondsBetween));
            TimeSpan second = pair.DialUntilDirect(TimeSpan.FromSeconds(2), out _);
            Assert.True(second <= TimeSpan.FromMilliseconds(300), $"seed {seed}: {first.TotalMilliseconds:F0} ms, then {second.TotalMilliseconds:F0}");
        }
    }

    /// <summary>What the path in reserve hears must not put off the keepalive of the one in use.</summary>
    [Theory]
    [InlineData(NatPorts.Random, 2)]
    [InlineData(NatPorts.Sequential, 3)]
    public void Idle_direct_path_outlives_a_nat_that_forgets_after_30_seconds(NatPorts ports, ulong seed)
    {
        foreach (bool dials in (bool[])[true, false])
        {
            using SimulatedWorld world = ReachWorld.New(seed);
            SimulatedNode inner = world.AddDeviceBehind(world.NewSymmetricNat(ports, TimeSpan.FromSeconds(30)));
            SimulatedNode outer = world.AddDeviceBehind(world.NewNat(NatKind.Cone));
            (SimulatedNode a, SimulatedNode b) = dials ? (inner, outer) : (outer, inner);
            b.Machine.Listen(ReachWorld.Protocol);
            world.Bootstrap();
            NodeSession session = world.Connect(a, b);
            Assert.True(world.TimeToDirect(session.IsDirect, TimeSpan.FromSeconds(10)) < TimeSpan.MaxValue, $"seed {seed}: not direct");
            for (int minute = 0; minute < 10; minute++)
            {
                world.Network.RunFor(TimeSpan.FromMinutes(1));
                Assert.True(session.IsDirect() && b.Incoming[0].IsDirect(), $"seed {seed}: relayed after {minute + 1} minutes");
            }
        }
    }

    /// <summary>Three homes asked at once: a rising sequence looks like a falling one where a later answer overtakes the first.</summary>
    [Fact]
    public void Two_sequences_meet_though_answers_overtake_each_other()
    {
        LinkProfile jittery = new() { Delay = TimeSpan.FromMilliseconds(15), Jitter = TimeSpan.FromMilliseconds(10) };
        for (ulong seed = 61; seed <= 80; seed++)
        {
            using ReachPair pair = new(seed, NatKind.Sequential, NatKind.Sequential, jittery);
            TimeSpan time = pair.DialUntilDirect(TimeSpan.FromSeconds(3), out _);
            Assert.True(time < TimeSpan.FromSeconds(3), $"seed {seed}: relayed");
        }
    }

    [Theory]
    [InlineData(NatKind.Random, NatKind.Random)]
    [InlineData(NatKind.Random, NatKind.Sequential)]
    public void Dial_stays_on_the_relay_where_neither_port_can_be_told(NatKind from, NatKind to)
    {
        using ReachPair pair = new(7, from, to);
        Assert.Equal(TimeSpan.MaxValue, pair.DialUntilDirect(TimeSpan.FromSeconds(10), out NodeSession? session));
        Assert.NotNull(session);
        Assert.InRange(pair.NatA.MostMappings, 1, OwnMappings);
    }

    /// <summary>One in five attempts meets within two blocks, nearly two in five where one end aims; there are two of them, two minutes apart, and half of a block stays free.</summary>
    [Theory]
    [InlineData(NatKind.Block, NatKind.Block, 6, 22)]
    [InlineData(NatKind.Block, NatKind.Sequential, 16, 36)]
    [InlineData(NatKind.Sequential, NatKind.Block, 16, 36)]
    public void Small_blocks_meet_as_often_as_reckoned_and_are_never_used_up(NatKind from, NatKind to, int least, int most)
    {
        const int Trials = 40;
        int direct = 0;
        for (ulong seed = 3_001; seed <= 3_000 + Trials; seed++)
        {
            using ReachPair pair = new(seed, from, to);
            NodeSession session = pair.World.Connect(pair.A, pair.B);
            for (int second = 0; second < 130 && !session.IsDirect(); second++)
            {
                pair.World.Network.RunFor(TimeSpan.FromSeconds(1));
                Assert.InRange(pair.NatA.LiveMappings(pair.World.Network.Now), 1, (VirtualNat.BlockPorts / 2) + OwnMappings);
                Assert.InRange(pair.NatB.LiveMappings(pair.World.Network.Now), 1, (VirtualNat.BlockPorts / 2) + OwnMappings);
            }

            direct += session.IsDirect() ? 1 : 0;
        }

        output.WriteLine($"{from} to {to}: {direct} of {Trials} direct");
        Assert.InRange(direct, least, most);
    }

    [Fact]
    public void Dials_to_a_host_within_a_block_take_turns_at_half_of_it()
    {
        using SimulatedWorld world = ReachWorld.New(12);
        VirtualNat router = world.NewNat(NatKind.Block);
        SimulatedNode host = world.AddDeviceBehind(router);
        host.Machine.Listen(ReachWorld.Protocol);
        SimulatedNode[] diallers = [.. Enumerable.Range(0, 4).Select(_ => world.AddDeviceBehind(world.NewNat(NatKind.Block)))];
        world.Bootstrap();
        NodeSession[] sessions = [.. diallers.Select(dialler => world.Connect(dialler, host))];
        int attempts = 0;
        bool wasIdle = true;
        for (int second = 0; second < 1_200; second++)
        {
            world.Network.RunFor(TimeSpan.FromSeconds(1));
            int live = router.LiveMappings(world.Network.Now);
            Assert.InRange(live, 1, (VirtualNat.BlockPorts / 2) + OwnMappings);
            attempts += wasIdle && live > VirtualNat.BlockPorts / 2 ? 1 : 0;
            wasIdle = live <= VirtualNat.BlockPorts / 2;
        }

        output.WriteLine($"{attempts} attempts, {sessions.Count(session => session.IsDirect())} of {sessions.Length} direct");
        Assert.InRange(attempts, 4, 2 * sessions.Length);
        Assert.All(sessions, session => Assert.False(session.IsRemoved));
    }

    [Theory]
    [InlineData(NatKind.Random, NatKind.Cone)]
    [InlineData(NatKind.Cone, NatKind.Random)]
    [InlineData(NatKind.Random, NatKind.RandomRestricted)]
    public void Random_ports_are_met_by_nearly_all_and_soon(NatKind from, NatKind to)
    {
        const int Trials = 50;
        List<double> times = [];
        for (ulong seed = 1_001; seed <= 1_000 + Trials; seed++)
        {
            using ReachPair pair = new(seed, from, to);
            times.Add(pair.DialUntilDirect(TimeSpan.FromSeconds(20), out _).TotalSeconds);
        }

        times.Sort();
        int direct = times.Count(time => time < 20);
        output.WriteLine($"{from} to {to}: {direct} of {Trials} direct, p50 {times[Trials / 2]:F2} s, p90 {times[Trials * 9 / 10]:F2}, p99 {times[Trials * 99 / 100]:F2}, most {times[^1]:F2}");
        Assert.True(direct * 100 >= Trials * 99);
        Assert.InRange(times[Trials / 2], 0, 1.5);
        Assert.InRange(times[Trials * 99 / 100], 0, 5);
    }

    /// <summary>Every ordered pair of NATs, 40 ms apart: from the dial by TrustID to the session, lookup included.</summary>
    [Fact]
    public void Dial_between_any_two_nats_has_a_session_soon()
    {
        List<double> times = [];
        ulong seed = 400;
        foreach (NatKind from in Enum.GetValues<NatKind>())
        {
            foreach (NatKind to in Enum.GetValues<NatKind>())
            {
                using ReachPair pair = new(seed++, from, to);
                pair.World.Network.RunFor(TimeSpan.FromSeconds(3));
                Instant start = pair.World.Network.Now;
                _ = pair.World.Connect(pair.A, pair.B);
                times.Add((pair.World.Network.Now - start).TotalMilliseconds);
            }
        }

        times.Sort();
        output.WriteLine($"{times.Count} pairs: session after p50 {times[times.Count / 2]:F0} ms, p90 {times[times.Count * 9 / 10]:F0}, most {times[^1]:F0}");
        Assert.InRange(times[times.Count / 2], 0, 200);
        Assert.InRange(times[times.Count * 9 / 10], 0, 350);
    }

    [Theory]
    [InlineData(5, 30)]
    [InlineData(50, 500)]
    public void Dials_of_many_to_one_symmetric_host_all_connect_and_all_become_direct_in_turn(int clients, int withinSeconds)
    {
        using SimulatedWorld world = ReachWorld.New(11);
        VirtualNat router = world.NewSymmetricNat(NatPorts.Random, TimeSpan.FromSeconds(30)); // as long as Linux keeps an unanswered mapping
        SimulatedNode host = world.AddDeviceBehind(router);
        host.Machine.Listen(ReachWorld.Protocol);
        SimulatedNode[] diallers = [.. Enumerable.Range(0, clients).Select(_ => world.AddDeviceBehind(world.NewNat(NatKind.Cone)))];
        world.Bootstrap();
        Instant start = world.Network.Now;
        ulong[] dials = [.. diallers.Select(client => client.Dial(host.Identity!.TrustId, ReachWorld.Protocol))];
        Assert.True(world.Network.RunUntil(() => diallers.Zip(dials).All(dial => dial.First.Dialed.ContainsKey(dial.Second)), TimeSpan.FromSeconds(2)),
            $"{diallers.Zip(dials).Count(dial => dial.First.Dialed.ContainsKey(dial.Second))} of {clients} connected after 2 s");
        output.WriteLine($"{clients} of {clients} connected after {(world.Network.Now - start).TotalSeconds:F2} s");
        int held = 0;
        bool allDirect = false;
        for (int second = 0; second < withinSeconds && !allDirect; second++)
        {
            allDirect = world.Network.RunUntil(() => diallers.Zip(dials).All(dial => dial.First.Dialed[dial.Second].IsDirect()), TimeSpan.FromSeconds(1));
            held = Math.Max(held, router.LiveMappings(world.Network.Now));
        }

        Assert.True(allDirect, $"{diallers.Zip(dials).Count(dial => dial.First.Dialed[dial.Second].IsDirect())} of {clients} direct");
        output.WriteLine($"{clients} of {clients} direct after {(world.Network.Now - start).TotalSeconds:F1} s, {held} mappings held at the most");
        Assert.InRange(held, 1, 2_200);
    }
}
