using System.Globalization;

namespace Carrier.Fuzz;

/// <summary>The process that fuzzes one target, with the instrumented assemblies; started by <see cref="Campaign"/>.</summary>
internal static class Worker
{
    public const int Passed = 0;
    public const int Crashed = 1;

    public static int Fuzz(FuzzTarget target, TimeSpan duration, int seed)
    {
        using CoverageMap coverage = new();
        coverage.Attach();
        using var current = CurrentInput.Open(target);
        FuzzOutcome outcome = new FuzzLoop(target, seed, coverage, current).Run(duration);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{target.Name,-32} {outcome.Executions,10} executions {outcome.Executions / outcome.Elapsed.TotalSeconds,8:F0}/s {outcome.Edges,6} edges {outcome.Inputs,5} inputs"));
        if (outcome.Failure is null)
        {
            return Passed;
        }

        string saved = Corpus.Save(Path.Combine(Corpus.Artifacts, "crashes"), target.Name + "-", outcome.FailingInput);
        Console.WriteLine($"{target.Name}: FAILED, input in {saved}");
        Console.WriteLine(outcome.Failure);
        return Crashed;
    }

    /// <summary>Replaces what the repository keeps of a target, but for golden and regression files, by the fewest inputs that light as much.</summary>
    public static int Distil(FuzzTarget target)
    {
        using CoverageMap coverage = new();
        coverage.Attach();
        using var current = CurrentInput.Open(target);
        string folder = Corpus.FolderOf(target);
        string[] kept = [.. Corpus.Files(folder).Where(Corpus.IsKept)];
        FuzzLoop loop = new(target, seed: 0, coverage, current);
        int golden = loop.Distil(kept.Select(File.ReadAllBytes)).Count;
        string[] others = [.. Corpus.Files(folder).Except(kept).Concat(Corpus.Files(Corpus.FoundFolderOf(target)))];
        byte[][] inputs = [.. loop.Distil(others.Select(File.ReadAllBytes)).Skip(golden)];
        foreach (string file in Corpus.Files(folder).Except(kept))
        {
            File.Delete(file);
        }

        foreach (byte[] input in inputs.Take(Corpus.MaxDistilledInputs))
        {
            _ = Corpus.Save(folder, "", input);
        }

        Console.WriteLine($"{target.Name}: {kept.Length} kept, {inputs.Length} distilled, {coverage.SeenEdges} edges");
        return Passed;
    }
}
