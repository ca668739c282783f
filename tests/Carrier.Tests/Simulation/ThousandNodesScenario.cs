using System.Diagnostics;
using Carrier.Core;
using Carrier.Node.Dialing;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>A network of a thousand: 60 nodes serve, 940 devices sit behind every kind of NAT.</summary>
public class ThousandNodesScenario(ITestOutputHelper output)
{
    private const string Protocol = "test/1";
    private const int ServingNodes = 60;
    private const int Devices = 940;
    private const int Dials = 1_000;

    // 5 % a way and 200 ms a round trip, over two links each way.
    private static readonly LinkProfile Link = new() { Delay = TimeSpan.FromMilliseconds(40), Jitter = TimeSpan.FromMilliseconds(20), Loss = 0.025 };

    [Fact]
    public void Every_one_of_a_thousand_dials_by_TrustID_connects()
    {
        const ulong Seed = 1000;
        var clock = Stopwatch.StartNew();
        using SimulatedWorld world = new(Seed, Link);
        SimulatedNode[] devices = Build(world);
        TimeSpan built = clock.Elapsed;
        world.RunUntilReady(TimeSpan.FromSeconds(120));
        TimeSpan readyWall = clock.Elapsed;
        Instant ready = world.Network.Now;
        (SimulatedNode From, ulong Dial, Instant At)[] dials = DialOverTenSeconds(world, devices);
        int open = 0; // the first dial without an outcome: looked at once each
        bool AllOver()
        {
            while (open < Dials && dials[open].From is { } from && (from.Dialed.ContainsKey(dials[open].Dial) || from.Failed.ContainsKey(dials[open].Dial)))
            {
                open++;
            }

            return open == Dials;
        }

        _ = world.Network.RunUntil(AllOver, TimeSpan.FromSeconds(60));
        string failures = string.Join(", ", dials.Where(dial => !dial.From.Dialed.ContainsKey(dial.Dial))
            .Select(dial => dial.From.Failed.TryGetValue(dial.Dial, out DialFailure failure) ? failure.ToString() : "no outcome"));
        output.WriteLine(
            $"seed {Seed}: built {built.TotalSeconds:F1} s, ready {ready} virtual {readyWall.TotalSeconds:F1} s wall, all {clock.Elapsed.TotalSeconds:F1} s wall; " +
            $"{world.Network.EventsHandled} events, {world.Network.EventsHandled / clock.Elapsed.TotalSeconds:F0}/s, {world.Network.DatagramsDelivered} datagrams");
        Assert.True(failures.Length == 0, $"seed {Seed}: {failures}");
    }

    private static SimulatedNode[] Build(SimulatedWorld world)
    {
        for (int i = 0; i < ServingNodes; i++)
        {
            world.AddServing(isSeed: i < 5);
        }

        SimulatedNode[] devices = new SimulatedNode[Devices];
        for (int i = 0; i < Devices; i++)
        {
            devices[i] = (i % 6) switch
            {
                0 => world.AddPublicDevice(),
                1 => world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent),
                2 => world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressDependent),
                3 => world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent),
                4 => world.AddDeviceBehind(NatBehaviour.AddressDependent, NatBehaviour.AddressDependent),
                _ => world.AddDeviceBehind(NatBehaviour.AddressAndPortDependent, NatBehaviour.AddressAndPortDependent),
            };
            devices[i].Machine.Listen(Protocol);
        }

        return devices;
    }

    private static (SimulatedNode From, ulong Dial, Instant At)[] DialOverTenSeconds(SimulatedWorld world, SimulatedNode[] devices)
    {
        var dials = new (SimulatedNode, ulong, Instant)[Dials];
        for (int i = 0; i < Dials; i++)
        {
            int number = i;
            SimulatedNode from = devices[i % Devices];
            SimulatedNode to = devices[((i * 7) + 3) % Devices]; // pairs every kind with every other
            world.Network.Schedule(TimeSpan.FromMilliseconds(10 * i), () => dials[number] = (from, from.Dial(to.Identity!.TrustId, Protocol), world.Network.Now));
        }

        return dials;
    }
}
