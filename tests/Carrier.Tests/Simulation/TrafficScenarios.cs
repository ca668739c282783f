using Carrier.Core;
using Carrier.Node.Dialing;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>Whole nodes move streams over a network that loses, reorders and duplicates, and whose addresses change under them.</summary>
public class TrafficScenarios(ITestOutputHelper output)
{
    private const int Seeds = 100;
    private const int Streams = 3;
    private const long BytesEach = 60_000;

    // 10 % a way over two links each way; the jitter is many times the packet spacing, so nearly nothing keeps its order.
    private static readonly LinkProfile Rough = new()
    {
        Delay = TimeSpan.FromMilliseconds(10),
        Jitter = TimeSpan.FromMilliseconds(15),
        Loss = 0.05,
        Duplication = 0.02,
    };

    private enum PathChange
    {
        DiallerMoves,
        DialledMoves,
        NatRestarts,
        DiallerGoesPublic,
    }

    [Fact]
    public void Every_byte_arrives_in_order_under_loss_reordering_duplication_and_a_path_change()
    {
        TimeSpan longest = default;
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            Instant end = Run(seed, out _);
            longest = end - Instant.Zero > longest ? end - Instant.Zero : longest;
        }

        output.WriteLine($"{Seeds} seeds, the slowest took {longest.TotalSeconds:F1} s of virtual time");
    }

    [Fact]
    public void Same_seed_gives_the_same_trace_of_whole_nodes_and_another_seed_another()
    {
        _ = Run(7, out ulong first);
        _ = Run(7, out ulong again);
        _ = Run(8, out ulong other);
        output.WriteLine($"trace of seed 7: {first:x16}");
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
    }

    private static Instant Run(ulong seed, out ulong trace)
    {
        using SimulatedWorld world = new(seed, Rough);
        for (int i = 0; i < 3; i++)
        {
            world.AddServing();
        }

        // The end that stays must be one whose NAT lets a stranger's packet in, or no packet from the new address could arrive.
        SeededRandom draw = new(seed);
        PathChange change = (PathChange)draw.NextInt32(4);
        SimulatedNode a = change == PathChange.DialledMoves ? AddOpen(world, draw) : AddAny(world, draw);
        SimulatedNode b = change == PathChange.DialledMoves ? AddAny(world, draw) : AddOpen(world, draw);
        b.Machine.Listen("traffic");
        world.RunUntilReady(TimeSpan.FromSeconds(60));
        PatternTraffic up = new(world.Network, a);
        PatternTraffic down = new(world.Network, b);
        string label = $"seed {seed}, {change}";
        NodeSession session = Connect(world, a, b, label);
        up.Send(session, Streams, BytesEach);
        down.Send(b.Incoming[0], Streams, BytesEach);
        long third = Streams * BytesEach / 3;
        Assert.True(world.Network.RunUntil(() => up.ReceivedBytes > third, TimeSpan.FromSeconds(60)), $"{label}: {up.ReceivedBytes} bytes before the change");
        Change(world, change, a, b);
        bool done = world.Network.RunUntil(() => up.StreamsFinished == Streams && down.StreamsFinished == Streams, TimeSpan.FromSeconds(300));
        Assert.True(done, $"{label}: {up.ReceivedBytes} down, {down.ReceivedBytes} up of {Streams * BytesEach}; closed: {string.Join(", ", up.Closes)} / {string.Join(", ", down.Closes)}");
        Assert.Equal(Streams * BytesEach, up.ReceivedBytes);
        Assert.Equal(Streams * BytesEach, down.ReceivedBytes);
        trace = world.Network.TraceHash;
        return world.Network.Now;
    }

    private static NodeSession Connect(SimulatedWorld world, SimulatedNode a, SimulatedNode b, string label)
    {
        ulong dial = a.Dial(b.Identity!.TrustId, "traffic");
        if (world.Network.RunUntil(() => a.Dialed.ContainsKey(dial) && b.Incoming.Count > 0, TimeSpan.FromSeconds(16)))
        {
            return a.Dialed[dial];
        }

        string failure = a.Failed.TryGetValue(dial, out DialFailure reason) ? reason.ToString() : "not confirmed";
        throw new InvalidOperationException($"{label}: {failure}, {a.Machine.Report(world.Network.Now).TableNodes} nodes known");
    }

    private static SimulatedNode AddOpen(SimulatedWorld world, SeededRandom draw) =>
        draw.NextInt32(2) == 0 ? world.AddPublicDevice() : world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent);

    private static SimulatedNode AddAny(SimulatedWorld world, SeededRandom draw) =>
        world.AddDeviceBehind((NatBehaviour)draw.NextInt32(3), (NatBehaviour)draw.NextInt32(3));

    private static void Change(SimulatedWorld world, PathChange change, SimulatedNode a, SimulatedNode b)
    {
        VirtualNat other = world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        Endpoint inside = Endpoint.FromIPv4(0x0A000005, 50_000);
        switch (change)
        {
            case PathChange.DiallerMoves:
                world.Network.Move(a.Host, inside, other);
                break;
            case PathChange.DialledMoves:
                world.Network.Move(b.Host, inside, other);
                break;
            case PathChange.NatRestarts:
                a.Host.Nat!.Restart();
                break;
            default:
                world.Network.Move(a.Host, world.NextPublicAddress(), null);
                break;
        }
    }
}
