using Carrier.Core;
using Carrier.Node.Dialing;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>The NATs of the reach scenarios, by the field's names.</summary>
public enum NatKind
{
    /// <summary>Port-restricted, port kept: a home router.</summary>
    Cone,

    /// <summary>The same, but a stray packet shifts a port.</summary>
    Shifting,
    FullCone,
    AddressRestricted,

    /// <summary>One random port for all peers, open to anybody.</summary>
    RandomCone,

    /// <summary>One random port for all peers, filtered by address and port.</summary>
    RandomRestricted,
    Sequential,
    Block,

    /// <summary>Another random port for every peer.</summary>
    Random,
}

/// <summary>A small internet with three seeds, in which pairs of devices meet.</summary>
internal static class ReachWorld
{
    public const string Protocol = "test/1";

    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan SessionLimit = TimeSpan.FromSeconds(20);

    public static SimulatedWorld New(ulong seed, LinkProfile? link = null)
    {
        SimulatedWorld world = new(seed, link);
        for (int i = 0; i < 3; i++)
        {
            _ = world.AddServing();
        }

        return world;
    }

    public static VirtualNat NewNat(this SimulatedWorld world, NatKind nat) => nat switch
    {
        NatKind.Cone => world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent),
        NatKind.Shifting => world.NewShiftingNat(),
        NatKind.FullCone => world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent),
        NatKind.AddressRestricted => world.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressDependent),
        NatKind.RandomCone => world.NewRandomPortNat(NatBehaviour.EndpointIndependent),
        NatKind.RandomRestricted => world.NewRandomPortNat(NatBehaviour.AddressAndPortDependent),
        NatKind.Sequential => world.NewSymmetricNat(NatPorts.Sequential),
        NatKind.Block => world.NewSymmetricNat(NatPorts.Block),
        _ => world.NewSymmetricNat(NatPorts.Random),
    };

    /// <summary>Runs until all are ready and have had a moment to learn of their NATs.</summary>
    public static void Bootstrap(this SimulatedWorld world)
    {
        world.RunUntilReady(ReadyLimit);
        world.Network.RunFor(TimeSpan.FromSeconds(2));
    }

    public static bool IsDirect(this NodeSession session) => !session.Machine.Path.IsRelayed;

    /// <summary>Dials and waits for the session; says the seed when there is none.</summary>
    public static NodeSession Connect(this SimulatedWorld world, SimulatedNode from, SimulatedNode to)
    {
        ulong dial = from.Dial(to.Identity!.TrustId, Protocol);
        Assert.True(world.Network.RunUntil(() => from.Dialed.ContainsKey(dial), SessionLimit), $"seed {world.Network.Seed}: no session");
        return from.Dialed[dial];
    }

    /// <summary>Dials and waits for what comes of it: "session", the failure, or "nothing".</summary>
    public static (string Outcome, TimeSpan Took) Dial(this SimulatedWorld world, SimulatedNode from, SimulatedNode to)
    {
        Instant begun = world.Network.Now;
        ulong dial = from.Dial(to.Identity!.TrustId, Protocol);
        bool isOver = world.Network.RunUntil(() => from.Dialed.ContainsKey(dial) || from.Failed.ContainsKey(dial), SessionLimit);
        string outcome = !isOver ? "nothing" : from.Failed.TryGetValue(dial, out DialFailure why) ? why.ToString() : "session";
        return (outcome, world.Network.Now - begun);
    }

    /// <summary>Adds two devices of each kind; one of each dials the other one of each, itself included, and has a session within <paramref name="longest"/>.</summary>
    public static void AssertAllMeet<T>(this SimulatedWorld world, T[] kinds, Func<T, SimulatedNode> add, TimeSpan longest, ITestOutputHelper output)
    {
        SimulatedNode[] from = [.. kinds.Select(add)], to = [.. kinds.Select(add)];
        Array.ForEach(to, device => device.Machine.Listen(Protocol));
        world.RunUntilReady(TimeSpan.FromSeconds(60));
        world.Network.RunFor(TimeSpan.FromSeconds(30));
        for (int pair = 0; pair < kinds.Length * kinds.Length; pair++)
        {
            (int a, int b) = (pair / kinds.Length, pair % kinds.Length);
            (string outcome, TimeSpan took) = world.Dial(from[a], to[b]);
            output.WriteLine($"{kinds[a]} to {kinds[b]} among {world.Nodes.Count} nodes: {outcome} after {took.TotalMilliseconds:F0} ms");
            Assert.Equal("session", outcome);
            Assert.InRange(took, TimeSpan.Zero, longest);
        }
    }

    /// <summary>Looks a device up in the network.</summary>
    public static PeerDevice Resolve(this SimulatedWorld world, SimulatedNode from, SimulatedNode device)
    {
        ulong search = from.Machine.Resolve(world.Network.Now, device.Identity!.TrustId);
        from.Host.Pump();
        Assert.True(world.Network.RunUntil(() => from.Resolved.ContainsKey(search), SessionLimit), $"seed {world.Network.Seed}: no answer");
        return Assert.Single(from.Resolved[search]);
    }

    /// <summary>How long from now until a session is direct, or <see cref="TimeSpan.MaxValue"/> when it is not by the limit.</summary>
    public static TimeSpan TimeToDirect(this SimulatedWorld world, Func<bool> isDirect, TimeSpan limit)
    {
        Instant start = world.Network.Now;
        return world.Network.RunUntil(isDirect, limit) ? world.Network.Now - start : TimeSpan.MaxValue;
    }
}

/// <summary>Two devices, each behind a NAT of its own, in a world that is bootstrapped.</summary>
internal sealed class ReachPair : IDisposable
{
    public ReachPair(ulong seed, NatKind from, NatKind to, LinkProfile? link = null)
    {
        World = ReachWorld.New(seed, link);
        NatA = World.NewNat(from);
        NatB = World.NewNat(to);
        A = World.AddDeviceBehind(NatA);
        B = World.AddDeviceBehind(NatB);
        B.Machine.Listen(ReachWorld.Protocol);
        World.Bootstrap();
    }

    public SimulatedWorld World { get; }

    public VirtualNat NatA { get; }

    public VirtualNat NatB { get; }

    public SimulatedNode A { get; }

    public SimulatedNode B { get; }

    /// <summary>Dials; the time until the dialler's session is direct, or <see cref="TimeSpan.MaxValue"/>.</summary>
    public TimeSpan DialUntilDirect(TimeSpan limit, out NodeSession? session)
    {
        ulong dial = A.Dial(B.Identity!.TrustId, ReachWorld.Protocol);
        TimeSpan time = World.TimeToDirect(() => A.Dialed.TryGetValue(dial, out NodeSession? stands) && stands.IsDirect(), limit);
        session = A.Dialed.GetValueOrDefault(dial);
        return time;
    }

    public void Dispose() => World.Dispose();
}
