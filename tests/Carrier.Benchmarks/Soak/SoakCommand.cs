using System.Diagnostics;
using Carrier.Benchmarks.Measuring;
using Carrier.Core.Session;
using Carrier.Node;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Benchmarks.Soak;

/// <summary>One session of two shipped nodes, one behind a NAT, in virtual time: gigabytes under key updates, an idle hour, and data again.</summary>
internal static class SoakCommand
{
    private const ulong Seed = 33;
    private const string Protocol = "soak/1";
    private const long BytesAfterwards = 1_000_000;

    /// <summary>Packets between key updates: 2^24 are shipped, more than ten gigabytes have.</summary>
    private const int KeyUpdatePackets = 1 << 20;

    private static readonly TimeSpan Idle = TimeSpan.FromHours(1);

    /// <summary>Returns 1 when a byte is missing or the session ended.</summary>
    public static int Run(long bytes)
    {
        NodeOptions options = new() { Session = SessionOptions.Default with { KeyUpdatePackets = KeyUpdatePackets } };
        using SimulatedWorld world = new(Seed, LinkProfile.Perfect, options);
        _ = world.AddServing();
        SimulatedNode a = world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        SimulatedNode b = world.AddPublicDevice();
        b.Machine.Listen(Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(30));
        (PatternTraffic up, PatternTraffic down) = (new(world.Network, a), new(world.Network, b));
        ulong dial = a.Dial(b.Identity!.TrustId, Protocol);
        _ = world.Network.RunUntil(() => a.Dialed.ContainsKey(dial) && b.Incoming.Count > 0, TimeSpan.FromSeconds(20));
        NodeSession session = a.Dialed[dial];

        long start = Stopwatch.GetTimestamp();
        up.Send(session, 1, bytes);
        bool arrived = world.Network.RunUntil(() => down.StreamsFinished == 1, TimeSpan.FromHours(10));
        SessionStatistics afterData = session.Machine.Statistics;
        world.Network.RunFor(Idle);
        bool lives = up.Closes.Count == 0 && down.Closes.Count == 0;
        if (lives)
        {
            up.Send(session, 1, BytesAfterwards);
            lives = world.Network.RunUntil(() => down.StreamsFinished == 2, TimeSpan.FromSeconds(30));
        }

        Console.WriteLine(Figures.Write(
            ("GB", down.ReceivedBytes / 1e9), ("key_updates", afterData.KeyUpdates), ("packets_lost", afterData.PacketsLost),
            ("idle_h", Idle.TotalHours), ("lives", lives ? 1 : 0), ("wall_s", Stopwatch.GetElapsedTime(start).TotalSeconds)));
        return arrived && lives && down.ReceivedBytes == bytes + BytesAfterwards && afterData.KeyUpdates > 0 ? 0 : 1;
    }
}
