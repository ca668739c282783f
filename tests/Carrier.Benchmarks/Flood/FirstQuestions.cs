using Carrier.Benchmarks.Seeds;
using Carrier.Core;
using Carrier.Node.Homes;
using Carrier.Simulation;

namespace Carrier.Benchmarks.Flood;

/// <summary>Measures what a seed answers addresses that have proven nothing: the first questions of devices it never met, each from an address of its own.</summary>
internal static class FirstQuestions
{
    private const int Devices = 32;

    private static readonly TimeSpan Asking = TimeSpan.FromMilliseconds(1_200);
    private static readonly TimeSpan Answering = TimeSpan.FromSeconds(1);

    /// <summary>The most that came back for one datagram, over its own length; and how many of them were answered at all.</summary>
    public static (double WorstRatio, int Answered) Measure(HomeContact seed, IReadOnlyList<byte[]> models)
    {
        List<byte[]> questions = Ask(seed);
        List<FloodSource> sources = [];
        foreach (byte[] question in (IEnumerable<byte[]>)[.. questions, .. models.DistinctBy(model => (model[0], model.Length)).Take(Devices)])
        {
            FloodSource source = new(seed.Endpoint, models, new SeededRandom());
            source.Send(question);
            sources.Add(source);
        }

        Thread.Sleep(Answering);
        sources.ForEach(source => source.Collect());
        (double, int) result = (
            sources.Max(source => (double)source.AnsweredBytes / source.SentBytes), sources.Count(source => source.AnsweredBytes > 0));
        sources.ForEach(source => source.Dispose());
        return result;
    }

    // What new devices would send, kept from leaving: the seed has neither their keys nor these nonces.
    private static List<byte[]> Ask(HomeContact seed)
    {
        List<byte[]> questions = [];
        byte[] buffer = new byte[DrivenDevice.MaxDatagramBytes];
        DrivenDevice[] devices = [.. Enumerable.Range(0, Devices).Select(_ => new DrivenDevice(seed))];
        Array.ForEach(devices, device => device.Tap = (_, datagram) =>
        {
            questions.Add(datagram.ToArray());
            return false;
        });
        Instant end = MonotonicClock.Now + Asking;
        while (MonotonicClock.Now < end)
        {
            Array.ForEach(devices, device => _ = device.Turn(buffer));
            Thread.Sleep(10);
        }

        Array.ForEach(devices, device => device.Dispose());
        return questions;
    }
}
