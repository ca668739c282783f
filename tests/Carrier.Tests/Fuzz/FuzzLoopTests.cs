using Carrier.Fuzz;

namespace Carrier.Tests.Fuzz;

/// <summary>The fuzzer itself, over targets that count their edges by hand as instrumented code does.</summary>
public sealed class FuzzLoopTests
{
    private static readonly byte[] Magic = [0xC4, 0x31, 0x7E, 0x09, 0xD2];

    [Fact]
    public void Run_with_coverage_finds_five_bytes_that_chance_would_not()
    {
        FuzzOutcome outcome = Run(new FuzzTarget($"Test.Magic-{Guid.NewGuid():N}", StagedMagic), TimeSpan.FromSeconds(60));
        _ = Assert.IsType<FormatException>(outcome.Failure);
        Assert.Equal(Magic, outcome.FailingInput[..Magic.Length]);
        Assert.Equal(Magic.Length - 1, outcome.Edges); // the failing execution is not counted
    }

    [Fact]
    public void Run_over_a_parser_that_holds_reports_no_failure()
    {
        FuzzOutcome outcome = Run(new FuzzTarget($"Test.Holds-{Guid.NewGuid():N}", static _ => { }), TimeSpan.Zero);
        Assert.Null(outcome.Failure);
        Assert.Equal(1 + 64, outcome.Executions); // the empty input and one batch
    }

    [Fact]
    public void Mutate_never_exceeds_its_room_and_repeats_from_its_seed()
    {
        byte[] child = new byte[100];
        byte[] again = new byte[100];
        byte[] parent = [.. Enumerable.Range(0, 90).Select(i => (byte)i)];
        Mutator mutator = new(7);
        Mutator same = new(7);
        bool changed = false;
        for (int i = 0; i < 20_000; i++)
        {
            int length = mutator.Mutate(parent, parent, child);
            Assert.InRange(length, 0, child.Length);
            Assert.Equal(length, same.Mutate(parent, parent, again));
            Assert.True(child.AsSpan(0, length).SequenceEqual(again.AsSpan(0, length)));
            changed |= !child.AsSpan(0, length).SequenceEqual(parent);
        }

        Assert.True(changed);
    }

    private static unsafe void StagedMagic(ReadOnlySpan<byte> data)
    {
        int right = data.CommonPrefixLength(Magic);
        for (int i = 0; i < right; i++)
        {
            SharpFuzz.Common.Trace.SharedMem[100 + i]++;
        }

        if (right == Magic.Length)
        {
            throw new FormatException("found");
        }
    }

    private static FuzzOutcome Run(FuzzTarget target, TimeSpan duration)
    {
        using CoverageMap coverage = new();
        coverage.Attach();
        using var current = CurrentInput.Open(target);
        FuzzOutcome outcome = new FuzzLoop(target, seed: 1, coverage, current).Run(duration);
        File.Delete(Path.Combine(Corpus.Artifacts, "current", target.Name));
        if (Directory.Exists(Corpus.FoundFolderOf(target)))
        {
            Directory.Delete(Corpus.FoundFolderOf(target), recursive: true);
        }

        return outcome;
    }
}
