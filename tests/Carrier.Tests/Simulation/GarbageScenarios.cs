using System.Diagnostics;
using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Node;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>A million random and mutated datagrams, a hundred thousand a second, at a serving node and at a device with a live session.</summary>
[Collection(RunsAlone.Name)]
public class GarbageScenarios(ITestOutputHelper output)
{
    private const string Protocol = "test/1";
    private const ulong Seed = 71;
    private const int DatagramsPerNode = 500_000;
    private const int PerMillisecond = 100;

    /// <summary>Beyond what tables and queues were made with: the bounded caches (4,096 shared keys, tokens) may fill.</summary>
    private const long MaxGrowthBytes = 48_000_000;

    [Fact]
    public void Million_mutated_datagrams_break_nothing_and_a_dial_beside_them_succeeds()
    {
        using SimulatedWorld world = new(Seed);
        SimulatedNode seed = world.AddServing();
        _ = world.AddServing();
        _ = world.AddServing();
        SimulatedNode a = world.AddPublicDevice();
        SimulatedNode b = world.AddPublicDevice();
        SimulatedNode late = world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        b.Machine.Listen(Protocol);
        Dictionary<byte, List<byte[]>> golden = Capture(world, a, b, out PatternTraffic up, out ulong dial);
        Assert.True(golden.Count >= 8, $"only {golden.Count} kinds of datagrams to mutate");
        PatternTraffic down = new(world.Network, b);
        byte[][] models = [.. golden.Values.SelectMany(kind => kind)];
        long drops = seed.Machine.Drops.Total() + b.Machine.Drops.Total();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var clock = Stopwatch.StartNew();
        SeededRandom random = new(Seed);
        Instant dialledAt = default;
        TimeSpan? took = null;
        ulong beside = 0;
        for (int i = 0; i < DatagramsPerNode; i += PerMillisecond)
        {
            Throw(world, seed, models, random);
            Throw(world, b, models, random);
            world.Network.RunFor(TimeSpan.FromMilliseconds(1));
            if (i == DatagramsPerNode / 4)
            {
                dialledAt = world.Network.Now;
                beside = late.Dial(b.Identity!.TrustId, Protocol);
            }

            took ??= beside != 0 && late.Dialed.ContainsKey(beside) ? world.Network.Now - dialledAt : null;
        }

        TimeSpan wall = clock.Elapsed;
        long growth = GC.GetTotalMemory(forceFullCollection: true) - before;
        NodeReport report = seed.Machine.Report(world.Network.Now);
        output.WriteLine(
            $"seed {Seed}: {2 * DatagramsPerNode} datagrams in {wall.TotalSeconds:F1} s wall, memory +{growth / 1e6:F1} MB, " +
            $"dial {took?.TotalSeconds:F2} s, seed: {report.Registrations} registrations, {report.TableNodes} in the table, {report.StoredRecords} records");
        Assert.True(took <= TimeSpan.FromSeconds(2), $"the dial beside took {took?.ToString() ?? "for ever"}");
        Assert.InRange(growth, long.MinValue, MaxGrowthBytes);
        Assert.True(seed.Machine.Drops.Total() + b.Machine.Drops.Total() - drops > DatagramsPerNode, "what is not used is counted");
        up.Send(a.Dialed[dial], 1, 100_000);
        Assert.True(world.Network.RunUntil(() => down.StreamsFinished == 1, TimeSpan.FromSeconds(10)), "the live session no longer carries data");
    }

    /// <summary>Every kind of datagram the network speaks, as it left a true node.</summary>
    private static Dictionary<byte, List<byte[]>> Capture(SimulatedWorld world, SimulatedNode a, SimulatedNode b, out PatternTraffic up, out ulong dial)
    {
        const int PerKind = 24;
        Dictionary<byte, List<byte[]>> golden = [];
        world.Network.Tap = (_, _, datagram) =>
        {
            byte kind = datagram.Span[0];
            if (!golden.TryGetValue(kind, out List<byte[]>? known))
            {
                golden.Add(kind, known = []);
            }

            if (known.Count < PerKind)
            {
                known.Add(datagram.ToArray());
            }

            return true;
        };
        world.RunUntilReady(TimeSpan.FromSeconds(20));
        ulong first = dial = a.Dial(b.Identity!.TrustId, Protocol);
        Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(first) && b.Incoming.Count > 0, TimeSpan.FromSeconds(10)));
        up = new PatternTraffic(world.Network, a);
        up.Send(a.Dialed[first], 2, 20_000);
        world.Network.RunFor(TimeSpan.FromSeconds(60)); // keepalives and renewals too
        world.Network.Tap = null;
        foreach (PacketKind unheard in (PacketKind[])[PacketKind.HandshakeRetry, PacketKind.SessionPhase1, PacketKind.SessionReset, PacketKind.RelayData])
        {
            byte[] made = new byte[60];
            made[0] = (byte)unheard;
            _ = golden.TryAdd((byte)unheard, [made]);
        }

        return golden;
    }

    private static void Throw(SimulatedWorld world, SimulatedNode at, byte[][] models, SeededRandom random)
    {
        Span<byte> buffer = stackalloc byte[1_500];
        for (int i = 0; i < PerMillisecond; i++)
        {
            int bytes = Mutation.Mutate(models[random.NextInt32(models.Length)], buffer, random);
            Endpoint source = Endpoint.FromIPv4((uint)(0x60000000 + random.NextInt32(0x0FFFFFFF)), (ushort)random.NextInt32(65_536));
            at.Machine.Handle(world.Network.Now, source, buffer[..bytes], Math.Max(bytes, 1));
        }

        at.Host.Pump();
    }
}
