using System.Diagnostics;

namespace Carrier.Fuzz;

/// <summary>What a run over one target came to.</summary>
/// <param name="Failure">What was thrown, and null when nothing was.</param>
/// <param name="FailingInput">The input it was thrown for.</param>
internal readonly record struct FuzzOutcome(long Executions, TimeSpan Elapsed, int Edges, int Inputs, Exception? Failure, byte[] FailingInput);

/// <summary>The loop of a coverage-guided fuzzer: take an input that lit something, change it, run it, keep it when it lights something new.</summary>
internal sealed class FuzzLoop(FuzzTarget target, int seed, CoverageMap coverage, CurrentInput current)
{
    /// <summary>Executions between two looks at the clock.</summary>
    private const int ClockEvery = 64;

    /// <summary>How many of the newest inputs get extra attention: what has just been found is rarely exhausted.</summary>
    private const int Newest = 8;

    private readonly Mutator _mutator = new(seed);
    private readonly List<byte[]> _inputs = [];
    private Exception? _failure;
    private byte[] _failingInput = [];
    private long _executions;

    /// <summary>Runs the known inputs, then children of them, a batch at least, until time is up or one fails. Inputs that light new edges are saved.</summary>
    public FuzzOutcome Run(TimeSpan duration)
    {
        var clock = Stopwatch.StartNew();
        byte[][] known = [[], .. Corpus.Files(Corpus.FolderOf(target)).Concat(Corpus.Files(Corpus.FoundFolderOf(target))).Select(File.ReadAllBytes)];
        foreach (byte[] input in known.Where(input => input.Length <= Corpus.MaxInputBytes))
        {
            if (!TryExecute(input, out bool isNew))
            {
                return Outcome(clock);
            }

            if (isNew || _inputs.Count == 0)
            {
                _inputs.Add(input);
            }
        }

        byte[] child = new byte[Corpus.MaxInputBytes];
        do
        {
            for (int i = 0; i < ClockEvery; i++)
            {
                int length = _mutator.Mutate(Pick(), Pick(), child);
                if (!TryExecute(child.AsSpan(0, length), out bool isNew))
                {
                    return Outcome(clock);
                }

                if (isNew)
                {
                    _inputs.Add(child[..length]);
                    _ = Corpus.Save(Corpus.FoundFolderOf(target), "", child.AsSpan(0, length));
                }
            }
        }
        while (clock.Elapsed < duration);

        return Outcome(clock);
    }

    /// <summary>Of the given inputs, shortest first, those that take an edge none before took; how often it was taken does not count here.</summary>
    public IReadOnlyList<byte[]> Distil(IEnumerable<byte[]> inputs)
    {
        foreach (byte[] input in inputs.OrderBy(input => input.Length))
        {
            int before = coverage.SeenEdges;
            if (TryExecute(input, out _) && coverage.SeenEdges > before)
            {
                _inputs.Add(input);
            }
        }

        return _inputs;
    }

    private byte[] Pick()
    {
        int from = _mutator.Next(3) == 0 ? Math.Max(0, _inputs.Count - Newest) : 0;
        return _inputs[from + _mutator.Next(_inputs.Count - from)];
    }

    private bool TryExecute(ReadOnlySpan<byte> input, out bool isNew)
    {
        current.Write(input);
        coverage.Clear();
        _executions++;
        try
        {
            target.Run(input);
        }
#pragma warning disable CA1031 // Whatever a parser throws is what is looked for.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            _failure = failure;
            _failingInput = input.ToArray();
            isNew = false;
            return false;
        }

        isNew = coverage.TakeNew();
        return true;
    }

    private FuzzOutcome Outcome(Stopwatch clock) => new(_executions, clock.Elapsed, coverage.SeenEdges, _inputs.Count, _failure, _failingInput);
}
