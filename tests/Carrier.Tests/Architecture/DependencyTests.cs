using System.Diagnostics;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Architecture;

/// <summary>What is restored is what was reviewed: every package by the hash in the lock file.</summary>
public sealed class DependencyTests : IDisposable
{
    private const string Project = "Carrier.Core.csproj";

    private readonly TemporaryFolder _folder = new();

    public DependencyTests()
    {
        foreach (string file in new[] { "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "BannedSymbols.txt" })
        {
            File.Copy(Path.Combine(Repository.Root, file), _folder.File(file));
        }

        foreach (string file in new[] { Project, "packages.lock.json" })
        {
            File.Copy(Path.Combine(Repository.Root, "carrier", "Carrier.Core", file), _folder.File(file));
        }
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Restore_of_a_lock_file_with_another_hash_fails()
    {
        (int code, string output) = await RestoreAsync();
        Assert.True(code == 0, output);

        string locks = await File.ReadAllTextAsync(_folder.File("packages.lock.json"), TestContext.Current.CancellationToken);
        const string Hash = "\"contentHash\": \"";
        int at = locks.IndexOf(Hash, StringComparison.Ordinal) + Hash.Length;
        string tampered = string.Concat(locks.AsSpan(0, at), locks[at] == 'A' ? "B" : "A", locks.AsSpan(at + 1));
        await File.WriteAllTextAsync(_folder.File("packages.lock.json"), tampered, TestContext.Current.CancellationToken);
        (code, output) = await RestoreAsync();
        Assert.NotEqual(0, code);
        Assert.Contains("NU1403", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_project_has_its_lock_file()
    {
        string[] projects = [.. Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories)];
        Assert.NotEmpty(projects);
        Assert.All(projects, project => Assert.True(File.Exists(Path.Combine(Path.GetDirectoryName(project)!, "packages.lock.json")), project));
    }

    // As a build server does it; the audit asks the registry and belongs to the build.
    private async Task<(int Code, string Output)> RestoreAsync()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        ProcessStartInfo start = new("dotnet", ["restore", _folder.File(Project), "--force", "-nodeReuse:false", "-p:NuGetAudit=false"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["CI"] = "true";
        using var restore = Process.Start(start)!;
        Task<string> errors = restore.StandardError.ReadToEndAsync(cancel);
        string output = await restore.StandardOutput.ReadToEndAsync(cancel) + await errors;
        await restore.WaitForExitAsync(cancel);
        return (restore.ExitCode, output);
    }
}
