using System.Security.Cryptography;

namespace Carrier.Fuzz;

/// <summary>Where inputs lie: <c>tests/Carrier.Fuzz/Corpus/&lt;target&gt;</c> is kept with the source, <c>artifacts/fuzz</c> is this machine's.</summary>
/// <remarks>
/// In the repository a file called <c>golden-…</c> is a golden vector and one called <c>regression-…</c> once failed; both stay. The rest, named
/// by their hash, are what a run found and <c>distil</c> kept.
/// </remarks>
public static class Corpus
{
    /// <summary>Longer inputs are not made: more than a datagram, enough for a snapshot of a few entries.</summary>
    public const int MaxInputBytes = 2048;

    /// <summary>Most inputs of one target that are kept with the source beside golden and regression files.</summary>
    public const int MaxDistilledInputs = 30;

    private static readonly string Root = FindRoot();

    /// <summary>Everything a run writes.</summary>
    public static string Artifacts { get; } = Path.Combine(Root, "artifacts", "fuzz");

    /// <summary>Inputs kept with the source.</summary>
    public static string FolderOf(FuzzTarget target) => Path.Combine(Root, "tests", "Carrier.Fuzz", "Corpus", target.Name);

    /// <summary>Inputs this machine found.</summary>
    public static string FoundFolderOf(FuzzTarget target) => Path.Combine(Artifacts, "corpus", target.Name);

    /// <summary>Whether a file stays whatever else covers what it covers.</summary>
    public static bool IsKept(string file) =>
        Path.GetFileName(file) is string name && (name.StartsWith("golden-", StringComparison.Ordinal) || name.StartsWith("regression-", StringComparison.Ordinal));

    public static IEnumerable<string> Files(string folder) =>
        Directory.Exists(folder) ? Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal) : [];

    /// <summary>Saves an input under its hash and returns the path.</summary>
    public static string Save(string folder, string prefix, ReadOnlySpan<byte> input)
    {
        _ = Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, prefix + Convert.ToHexStringLower(SHA256.HashData(input)[..8]));
        File.WriteAllBytes(path, input);
        return path;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Carrier.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("The fuzzer runs from inside a checkout; no folder above it holds Carrier.sln.");
    }
}
