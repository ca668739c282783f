using System.Globalization;
using Carrier.Benchmarks.Measuring;
using Carrier.Benchmarks.Seeds;
using Carrier.Core;

namespace Carrier.Benchmarks.Relay;

/// <summary>What a seed relays a second against the bare loop: both on the same core, in turn, given the same datagrams by the same flows of another core.</summary>
internal static class ForwardingRate
{
    private const int Flows = 8;

    /// <summary>Part of the bare loop's rate that the relay must reach, whatever the trains.</summary>
    public const double Bar = 0.5;

    /// <summary>A session's full train, that of one of many busy sessions, and datagrams one by one.</summary>
    private static readonly int[] Trains = [44, 10, 1];

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(2);

    private static readonly string[] NoBudgets = ["--relay-total", "unlimited", "--relay-source", "unlimited", "--relay-device", "unlimited", "--relay-channel", "unlimited"];

    public static async Task<bool> MeasureAsync(BenchOptions options)
    {
        await using SeedProcess seed = await SeedProcess.StartAsync(options.Arguments[0], PeerPair.ServerCore, NoBudgets);
        await using ChildProcess bare = ChildProcess.Start(PeerPair.ServerCore, ["yardstick", "udp-forward", .. options.TransportOptions]);
        ushort barePort = ushort.Parse(await bare.ReadArgAsync(), CultureInfo.InvariantCulture);
        bool holds = true;
        foreach (int train in Trains)
        {
            holds &= ProcessorCore.Run(PeerPair.ClientCore, () => Compare(options, seed, bare, barePort, train));
        }

        return holds;
    }

    private static bool Compare(BenchOptions options, SeedProcess seed, ChildProcess bare, ushort barePort, int train)
    {
        using ChannelPairs pairs = new(seed.Contact, Flows);
        RelayLoad relayed = new([.. pairs.All.Select(pair => pair.NewFlow(seed.Contact.Endpoint, train, options.NoGso))]);
        RelayLoad forwarded = new([.. pairs.All.Select(pair => pair.NewBareFlow(Endpoint.FromIPv4(0x7F00_0001, barePort), train, options.NoGso))]);
        _ = relayed.Run(WarmUp);
        _ = forwarded.Run(WarmUp);
        Rounds ours = new();
        Rounds theirs = new();
        for (int round = 0; round < options.Rounds; round++)
        {
            ours.Add(Measure(relayed, () => seed.ProcessorSeconds));
            theirs.Add(Measure(forwarded, () => bare.ProcessorTime.TotalSeconds));
        }

        double ratio = ours.MedianRatio("MBps", theirs);
        double cpuRatio = theirs.MedianRatio("cpu_s_per_GB", ours);
        Console.WriteLine(Figures.Write(
            ("datagrams_a_train", train), ("flows", Flows), ("datagram_bytes", RelayFlow.DatagramBytes),
            ("relay_MBps", ours.Median("MBps")), ("bare_MBps", theirs.Median("MBps")), ("ratio", ratio), ("bar_ratio", Bar),
            ("relay_core", ours.Median("core")), ("bare_core", theirs.Median("core")), ("cpu_ratio", cpuRatio),
            ("relay_lost", ours.Median("lost")), ("bare_lost", theirs.Median("lost"))));
        return Math.Min(ratio, cpuRatio) >= Bar; // where the flows keep neither core busy, rates say nothing
    }

    private static Dictionary<string, double?> Measure(RelayLoad load, Func<double> cpuSeconds)
    {
        double cpu = cpuSeconds();
        Forwarded forwarded = load.Run(Duration);
        double core = (cpuSeconds() - cpu) / Duration.TotalSeconds;
        return new()
        {
            ["MBps"] = forwarded.MegabytesPerSecond,
            ["lost"] = forwarded.LostShare,
            ["core"] = core,
            ["cpu_s_per_GB"] = core / forwarded.MegabytesPerSecond * 1e3,
        };
    }
}
