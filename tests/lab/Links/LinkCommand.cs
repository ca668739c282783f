using System.Text.Json;
using Carrier.Lab.Delay;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Links;

/// <summary>
/// <c>carrier-lab link --from NETNS --to NETNS</c>: the link emulator, a TUN device in each namespace and a thread each way. Reads its conditions as lines of
/// JSON, each for both directions from then on, and says what it did when its input ends.
/// </summary>
internal static class LinkCommand
{
    public static int Run(Arguments arguments)
    {
        using TunDevice a = NetworkNamespace.Run(arguments.Require("--from"), () => new TunDevice(LinkNetwork.Device));
        using TunDevice b = NetworkNamespace.Run(arguments.Require("--to"), () => new TunDevice(LinkNetwork.Device));
        int seed = arguments.Count("--seed", 1);
        LinkPump forward = new(a, b, new EmulatedLink(new LinkConditions(), seed));
        LinkPump backward = new(b, a, new EmulatedLink(new LinkConditions(), seed + 1));
        Thread[] threads = [new(forward.Run), new(backward.Run)];
        Console.WriteLine("READY");
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        while (Console.In.ReadLine() is { } line)
        {
            LinkConditions conditions = JsonSerializer.Deserialize<LinkConditions>(line) ?? throw new LabException($"no link conditions: {line}");
            forward.Change(conditions);
            backward.Change(conditions);
            Console.WriteLine("CHANGED");
        }

        forward.Stop();
        backward.Stop();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        Console.WriteLine("DONE " + JsonSerializer.Serialize(new[] { LinkReport.Of(forward), LinkReport.Of(backward) }));
        return 0;
    }
}

/// <summary>What one direction did.</summary>
internal sealed record LinkReport(long Delivered, long Overflowed, long Lost, long TooLong, long Overrun, long Late, double WorstLatenessMilliseconds)
{
    public static LinkReport Of(LinkPump pump) =>
        new(pump.Delivered, pump.Link.Overflowed, pump.Link.Lost, pump.Link.TooLong, pump.Overrun, pump.Late, pump.WorstLateness.TotalMilliseconds);
}
