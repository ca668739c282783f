using System.Diagnostics;
using Carrier.Benchmarks.Seeds;
using Carrier.Simulation;

namespace Carrier.Benchmarks.Flood;

/// <summary>A real seed process under a flood of mutants and replays of true traffic, from several addresses at the rate of the line.</summary>
internal sealed class FloodRun(SeedProcess seed, Recording recording, TimeSpan duration)
{
    private const int SourcesPerThread = 2;

    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ReplayInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>The seed's own figures are gathered every ten seconds.</summary>
    private static readonly TimeSpan MetricsPatience = TimeSpan.FromSeconds(25);

    private readonly List<FloodSource> _sources = [];
    private double _peak;
    private long _replayed;

    /// <summary>Starts a seed, has true devices use it, floods it, and tells what became of it.</summary>
    public static async Task<FloodReport> RunAsync(string program, TimeSpan duration)
    {
        await using SeedProcess seed = await SeedProcess.StartAsync(program);
        using var recording = Recording.Make(seed.Contact);
        await using DialsBeside dials = new(seed.Address);
        await dials.StartAsync();
        return await new FloodRun(seed, recording, duration).RunAsync(dials);
    }

    private async Task<FloodReport> RunAsync(DialsBeside dials)
    {
        const int TrueDevices = 4; // three recorded, one that is dialled
        (double worstQuestion, int answered) = FirstQuestions.Measure(seed.Contact, recording.Models);
        double registrationsBefore = await RegistrationsAsync(atLeast: TrueDevices);
        double before = _peak = seed.ResidentMegabytes();
        using CancellationTokenSource stop = new();
        Task dialling = Task.Run(() => dials.RunAsync(stop.Token));
        Thread[] threads = StartFlooding(stop.Token);
        double seconds = DriveDevices();
        await stop.CancelAsync();
        Array.ForEach(threads, thread => thread.Join());
        await dialling;
        _sources.ForEach(source => source.Collect());
        double registrationsAfter = seed.IsAlive ? await RegistrationsAsync(atLeast: registrationsBefore) : 0;
        FloodReport report = new()
        {
            Seconds = seconds,
            SentDatagrams = _sources.Sum(source => source.SentDatagrams),
            SentBytes = _sources.Sum(source => source.SentBytes),
            ReplayedDatagrams = _sources.Sum(source => source.ReplayedDatagrams) + _replayed,
            AnsweredBytes = _sources.Sum(source => source.AnsweredBytes),
            StunBytes = _sources.Sum(source => source.StunBytes),
            WorstSourceRatio = _sources.Max(source => (double)source.AnsweredBytes / source.SentBytes),
            WorstQuestionRatio = worstQuestion,
            QuestionsAnswered = answered,
            ResidentBefore = before,
            ResidentPeak = _peak,
            ResidentAfter = seed.IsAlive ? seed.ResidentMegabytes() : 0,
            DialSeconds = dials.Seconds,
            DialFailures = dials.Failures,
            SessionsAtListener = recording.Listener.IncomingCount,
            RegistrationsBefore = registrationsBefore,
            RegistrationsAfter = registrationsAfter,
            IsHealthy = seed.IsAlive && await seed.IsHealthyAsync(),
        };
        _sources.ForEach(source => source.Dispose());
        return report;
    }

    // One processor is left to the seed and the dials.
    private Thread[] StartFlooding(CancellationToken stop)
    {
        Thread[] threads = new Thread[Math.Max(1, Environment.ProcessorCount - 1)];
        for (int i = 0; i < threads.Length; i++)
        {
            FloodSource[] own = [.. Enumerable.Range(0, SourcesPerThread).Select(n => new FloodSource(seed.Contact.Endpoint, recording.Models, new SeededRandom((ulong)((i * SourcesPerThread) + n))))];
            _sources.AddRange(own);
            threads[i] = new Thread(() =>
            {
                while (!stop.IsCancellationRequested)
                {
                    Array.ForEach(own, source => source.Burst());
                }
            });
            threads[i].Start();
        }

        return threads;
    }

    // The recorded devices go on living, and everything they ever said is said again from their own addresses.
    private double DriveDevices()
    {
        long start = Stopwatch.GetTimestamp();
        TimeSpan nextSample = TimeSpan.Zero;
        TimeSpan nextReplay = TimeSpan.Zero;
        int replay = 0;
        while (Stopwatch.GetElapsedTime(start) is var now && now < duration && seed.IsAlive)
        {
            if (!recording.Turn())
            {
                Thread.Sleep(1);
            }

            if (now >= nextReplay)
            {
                nextReplay = now + ReplayInterval;
                Recorded said = recording.All[replay++ % recording.All.Count];
                said.From.Send(said.To, said.Datagram);
                _replayed++;
            }

            if (now >= nextSample)
            {
                nextSample = now + SampleInterval;
                _peak = Math.Max(_peak, seed.ResidentMegabytes());
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private async Task<double> RegistrationsAsync(double atLeast)
    {
        long start = Stopwatch.GetTimestamp();
        double registrations;
        do
        {
            _ = recording.Turn();
            await Task.Delay(50);
            registrations = await seed.MetricAsync("carrier_home_registrations");
        }
        while (registrations < atLeast && Stopwatch.GetElapsedTime(start) < MetricsPatience);

        return registrations;
    }
}
