using Carrier.Agent.State;

namespace Carrier.Agent.Commands;

/// <summary>How to start one of Carrier's own programs.</summary>
/// <param name="LeadingArguments">The assembly, where the program is started by <c>dotnet</c>.</param>
internal sealed record Executable(string FileName, IReadOnlyList<string> LeadingArguments)
{
    private const string SeedName = "carrier-seed";
    private const string SeedVariable = "CARRIER_SEED_EXE";

    private static readonly string Suffix = OperatingSystem.IsWindows() ? ".exe" : string.Empty;

    /// <summary>This program, however it was started: its own executable, or an assembly under <c>dotnet</c>.</summary>
    public static Executable Self()
    {
        string process = Environment.ProcessPath ?? throw new AgentException(ExitCode.Failure, "This system does not say where the program is.");
        string assembly = Path.Combine(AppContext.BaseDirectory, "Carrier.Agent.dll");
        return Path.GetFileNameWithoutExtension(process).Equals("dotnet", StringComparison.OrdinalIgnoreCase)
            ? new Executable(process, [assembly])
            : new Executable(process, []);
    }

    /// <summary>The seed: where <c>CARRIER_SEED_EXE</c> says, beside this program, or where the build of this source tree put it.</summary>
    public static Executable Seed()
    {
        if (Environment.GetEnvironmentVariable(SeedVariable) is { Length: > 0 } set)
        {
            return File.Exists(set) ? At(set) : throw new AgentException(ExitCode.Usage, $"{SeedVariable} names '{set}', which is not there.");
        }

        return Candidates().FirstOrDefault(File.Exists) is { } found
            ? At(found)
            : throw new AgentException(
                ExitCode.Failure, $"{SeedName} was not found: build it (dotnet build bootstrap) or set {SeedVariable} to its path.");
    }

    private static IEnumerable<string> Candidates()
    {
        string here = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        yield return Path.Combine(here, SeedName + Suffix);
        // carrier/Carrier.Agent/bin/CONFIGURATION/FRAMEWORK -> bootstrap/bin/CONFIGURATION/FRAMEWORK
        string framework = Path.GetFileName(here);
        string? configurationFolder = Path.GetDirectoryName(here);
        for (string? root = here; root is not null; root = Path.GetDirectoryName(root))
        {
            if (configurationFolder is not null && File.Exists(Path.Combine(root, "bootstrap", "Carrier.Seed.csproj")))
            {
                string output = Path.Combine(root, "bootstrap", "bin", Path.GetFileName(configurationFolder), framework);
                yield return Path.Combine(output, SeedName + Suffix);
                yield return Path.Combine(output, SeedName + ".dll");
            }
        }
    }

    private static Executable At(string path) => path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase)
        ? new Executable(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host : "dotnet", [path])
        : new Executable(path, []);
}
