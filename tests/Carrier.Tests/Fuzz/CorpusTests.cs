using Carrier.Fuzz;
using Carrier.Tests.Architecture;

namespace Carrier.Tests.Fuzz;

/// <summary>Every fuzz target over its corpus: what once failed, or taught the fuzzer something, is run with every build.</summary>
public sealed class CorpusTests
{
    private const long MaxCorpusBytes = 1 << 20;

    public static TheoryData<string> Targets => [.. FuzzTarget.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Run_over_the_corpus_throws_nothing(string name)
    {
        FuzzTarget target = FuzzTarget.All.Single(target => target.Name == name);
        string[] files = [.. Corpus.Files(Corpus.FolderOf(target))];
        Assert.Contains(files, Corpus.IsKept);
        target.Run([]);
        foreach (string file in files)
        {
            byte[] input = File.ReadAllBytes(file);
            Exception? thrown = Record.Exception(() => target.Run(input));
            Assert.True(thrown is null, $"{file}: {thrown}");
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Run_over_every_truncation_of_golden_bytes_throws_nothing(string name)
    {
        FuzzTarget target = FuzzTarget.All.Single(target => target.Name == name);
        foreach (byte[] golden in Corpus.Files(Corpus.FolderOf(target)).Where(Corpus.IsKept).Select(File.ReadAllBytes))
        {
            // Whole nodes and sessions are dear: of long inputs every few lengths do.
            int step = Math.Max(1, golden.Length / 50);
            for (int length = 0; length < golden.Length; length += step)
            {
                target.Run(golden.AsSpan(0, length));
            }
        }
    }

    [Fact]
    public void Corpus_has_no_folder_without_a_target_and_stays_small()
    {
        string root = Path.Combine(Repository.Root, "tests", "Carrier.Fuzz", "Corpus");
        Assert.All(Directory.EnumerateDirectories(root), folder => Assert.Contains(FuzzTarget.All, target => target.Name == Path.GetFileName(folder)));
        Assert.InRange(Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length), 1, MaxCorpusBytes);
    }

    [Fact]
    public void Targets_are_found_by_reflection() => Assert.True(FuzzTarget.All.Count >= 38, string.Join(' ', FuzzTarget.All.Select(target => target.Name)));
}
