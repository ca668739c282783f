using System.Diagnostics;
using Carrier.Agent.State;

namespace Carrier.Agent.Commands;

/// <summary>A process of the demo: this program or the seed, its output read line by line, killed when disposed.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly string _name;
    private readonly Task<string> _errors;

    private ChildProcess(Process process, string name)
    {
        _process = process;
        _name = name;
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Starts a program with its standard streams held.</summary>
    /// <exception cref="AgentException">It cannot be started.</exception>
    public static ChildProcess Start(string name, Executable executable, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(executable.FileName)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in executable.LeadingArguments.Concat(arguments))
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            Process process = Process.Start(start) ?? throw new AgentException(ExitCode.Failure, $"{name} did not start.");
            process.StandardInput.Close();
            return new ChildProcess(process, name);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new AgentException(ExitCode.Failure, $"'{executable.FileName}' cannot be started: {e.Message}", e);
        }
    }

    /// <summary>Waits for the line that begins with READY and returns what follows it.</summary>
    public async Task<string> ReadyAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(ReadyWithin);
        try
        {
            while (await _process.StandardOutput.ReadLineAsync(patience.Token).ConfigureAwait(false) is { } line)
            {
                if (line.StartsWith("READY ", StringComparison.Ordinal))
                {
                    return line["READY ".Length..];
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new AgentException(ExitCode.Failure, $"{_name} was not ready within {ReadyWithin.TotalSeconds:0} s.");
        }

        throw await FailureAsync().ConfigureAwait(false);
    }

    /// <summary>Waits for its end and returns its lines.</summary>
    /// <exception cref="AgentException">It ended with another code than 0.</exception>
    public async Task<string[]> LinesAsync(CancellationToken cancellationToken)
    {
        string output = await _process.StandardOutput.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
        await _process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return _process.ExitCode == 0 ? lines : throw await FailureAsync(lines.LastOrDefault()).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync().ConfigureAwait(false);
        await _errors.ConfigureAwait(false);
        _process.Dispose();
    }

    private async Task<AgentException> FailureAsync(string? lastLine = null)
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        string errors = await _errors.ConfigureAwait(false);
        return new AgentException(ExitCode.Failure, $"{_name} ended with code {_process.ExitCode}: {lastLine} {errors.Trim()}");
    }
}
