using System.Diagnostics;
using System.Globalization;

namespace Carrier.Fuzz;

/// <summary>Fuzzes targets one after the other, each in a process of its own: what takes that down, too, is told with its input.</summary>
internal sealed class Campaign(TimeSpan perTarget, int seed)
{
    /// <summary>How much longer than its time a worker may take, for its start and its first compilations, before it counts as hanging.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);

    /// <summary>Runs all, prints a line each and the sum last; the exit code is 1 when one failed.</summary>
    public int Run(IReadOnlyList<FuzzTarget> targets)
    {
        string program = Instrumentation.Prepare();
        int failed = targets.Count(target => !Run(program, target));
        Console.WriteLine($"fuzz: {targets.Count - failed} passed, {failed} failed, 0 skipped");
        return failed == 0 ? 0 : 1;
    }

    /// <summary>Distils the corpus of each target.</summary>
    public static int Distil(IReadOnlyList<FuzzTarget> targets)
    {
        string program = Instrumentation.Prepare();
        return targets.Sum(target => Start(program, "distil", target, []) is { } worker && Wait(worker, Grace) ? worker.ExitCode : 1);
    }

    private static Process Start(string program, string verb, FuzzTarget target, string[] options) =>
        Process.Start(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet", [program, "worker", verb, target.Name, .. options]);

    private static bool Wait(Process worker, TimeSpan limit)
    {
        if (worker.WaitForExit(limit))
        {
            return true;
        }

        worker.Kill(entireProcessTree: true);
        worker.WaitForExit();
        return false;
    }

    private bool Run(string program, FuzzTarget target)
    {
        string[] options = [((int)perTarget.TotalMilliseconds).ToString(CultureInfo.InvariantCulture), seed.ToString(CultureInfo.InvariantCulture)];
        using Process worker = Start(program, "fuzz", target, options);
        bool ended = Wait(worker, perTarget + Grace);
        if (ended && worker.ExitCode is Worker.Passed or Worker.Crashed)
        {
            return worker.ExitCode == Worker.Passed;
        }

        string saved = Corpus.Save(Path.Combine(Corpus.Artifacts, "crashes"), target.Name + "-", CurrentInput.Read(target));
        Console.WriteLine($"{target.Name}: {(ended ? $"DIED with exit code {worker.ExitCode}" : "HUNG")}, input in {saved}");
        return false;
    }
}
