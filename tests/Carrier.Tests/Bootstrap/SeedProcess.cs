using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Carrier.Tests.Bootstrap;

/// <summary>A real carrier-seed process on loopback. Disposing kills it.</summary>
internal sealed partial class SeedProcess : IDisposable
{
    public const int Sigterm = 15;

    private readonly Process _process;
    private readonly Task<string> _log;

    private SeedProcess(Process process)
    {
        _process = process;
        _log = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Longer than anything here takes on a busy machine.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(60);

    public SeedAddress Address { get; private set; }

    public IPEndPoint Http { get; private init; } = new(IPAddress.Loopback, 0);

    public static async Task<SeedProcess> StartAsync(string state, params IEnumerable<string> more)
    {
        IPEndPoint http = new(IPAddress.Loopback, FreePort());
        SeedProcess seed = new(Start(["--listen", "127.0.0.1:0", "--http", http.ToString(), "--state", state, .. more])) { Http = http };
        string? line = await seed._process.StandardOutput.ReadLineAsync().WaitAsync(Patience);
        if (line is null)
        {
            Assert.Fail($"The seed ended early: {await seed._log}");
        }

        Assert.StartsWith("READY ", line, StringComparison.Ordinal);
        Assert.True(SeedAddress.TryParse(line.AsSpan("READY ".Length), out SeedAddress address));
        seed.Address = address;
        return seed;
    }

    /// <summary>Runs carrier-seed to its end.</summary>
    public static async Task<(int Code, string Output, string Error)> RunAsync(params IEnumerable<string> arguments)
    {
        using Process process = Start(arguments);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(Patience);
        await process.WaitForExitAsync().WaitAsync(Patience);
        return (process.ExitCode, output, await error);
    }

    public void Signal(int signal) => Assert.Equal(0, Kill(_process.Id, signal));

    public void KillHard()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>Waits for its end; its exit code and all it logged.</summary>
    public async Task<(int Code, string Log)> WhenEndedAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience);
        return (_process.ExitCode, await _log);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            KillHard();
        }

        _process.Dispose();
    }

    private static Process Start(IEnumerable<string> arguments)
    {
        ProcessStartInfo info = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        info.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "carrier-seed.dll"));
        foreach (string argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }

        return Process.Start(info)!;
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
