using System.Diagnostics;

namespace Carrier.Benchmarks.Measuring;

/// <summary>This program run again as one side of a measurement, on one core. Disposing ends it.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    /// <summary>Longer than any run that is still worth waiting for.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Process _process;

    private ChildProcess(Process process) => _process = process;

    /// <summary>Starts a child whose threads may only use <paramref name="core"/> (modulo the cores there are; Linux only).</summary>
    public static ChildProcess Start(int core, params IEnumerable<string> arguments)
    {
        ProcessStartInfo info = new(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            info.ArgumentList.Add(typeof(ChildProcess).Assembly.Location);
        }

        foreach (string argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }

        return new ChildProcess(ProcessorCore.Run(core, () => Process.Start(info)!));
    }

    /// <summary>What it has used of its core so far, user and kernel.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public async Task WriteLineAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Reads the next line it prints.</summary>
    /// <exception cref="InvalidOperationException">It ended without one.</exception>
    public async Task<string> ReadLineAsync() =>
        await _process.StandardOutput.ReadLineAsync().WaitAsync(Patience)
        ?? throw new InvalidOperationException($"A child process ended early: {string.Join(' ', _process.StartInfo.ArgumentList)}");

    /// <summary>Reads the line <c>READY ARG</c> of a server and returns ARG.</summary>
    public async Task<string> ReadArgAsync() => (await ReadLineAsync())["READY ".Length..];

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using CancellationTokenSource grace = new(TimeSpan.FromSeconds(2));
        try
        {
            await _process.WaitForExitAsync(grace.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }
}
