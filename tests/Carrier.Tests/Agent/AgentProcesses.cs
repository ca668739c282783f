using System.Diagnostics;
using System.Text.Json;
using Carrier.Tests.Bootstrap;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Agent;

/// <summary>Real processes on loopback: seeds, daemons, and the commands that ask them. Disposing kills them all.</summary>
internal sealed class AgentProcesses : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<Process> _processes = [];

    public static TimeSpan Patience => SeedProcess.Patience;

    /// <summary>Those running agents join by, in the order they were started.</summary>
    public List<SeedProcess> Seeds { get; } = [];

    public string File(string name) => _folder.File(name);

    /// <summary>Starts a seed, which joins by the ones before it.</summary>
    public async Task AddSeedAsync() => Seeds.Add(await SeedProcess.StartAsync(
        _folder.File($"seed{Seeds.Count}"), ["--tunnel", "none", .. Seeds.SelectMany(static seed => (string[])["--seed", seed.Address.ToString()])]));

    /// <summary>Makes an identity and returns its TrustID.</summary>
    public async Task<string> InitAsync(string name)
    {
        (int code, string output) = await RunAsync(name, "init", "--no-passphrase", "--json");
        Assert.Equal(0, code);
        return JsonDocument.Parse(output).RootElement.GetProperty("trustId").GetString()!;
    }

    /// <summary>Starts a daemon and waits until it can be reached.</summary>
    public async Task<Process> UpAsync(string name, params IEnumerable<string> arguments)
    {
        Process process = Start(name, ["up", .. Seeds.SelectMany(static seed => (string[])["--seed", seed.Address.ToString()]), .. arguments]);
        Assert.StartsWith("READY ", await process.StandardOutput.ReadLineAsync().WaitAsync(Patience), StringComparison.Ordinal);
        return process;
    }

    /// <summary>Runs a command to its end.</summary>
    public async Task<(int Code, string Output)> RunAsync(string name, params IEnumerable<string> arguments)
    {
        Process process = Start(name, arguments);
        string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(Patience);
        await process.WaitForExitAsync().WaitAsync(Patience);
        return (process.ExitCode, output);
    }

    /// <summary>Starts a command; its standard input is at its end.</summary>
    public Process Start(string name, params IEnumerable<string> arguments) => Launch(Dotnet, [Assembly, "--home", File(name), .. arguments]);

    /// <summary>The same with few file descriptors.</summary>
    public Process StartWithFewFiles(int files, string name, params IEnumerable<string> arguments) =>
        Launch("sh", ["-c", $"ulimit -n {files}; exec \"$@\"", "sh", Dotnet, Assembly, "--home", File(name), .. arguments]);

    public static async Task KillAsync(Process process)
    {
        process.Kill(); // SIGKILL
        await process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited)
            {
                await KillAsync(process);
            }

            process.Dispose();
        }

        Seeds.ForEach(static seed => seed.Dispose());
        _folder.Dispose();
    }

    private static string Dotnet => Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet";

    private static string Assembly => Path.Combine(AppContext.BaseDirectory, "Carrier.Agent.dll");

    private Process Launch(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardInput = true };
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        _processes.Add(process);
        return process;
    }
}
