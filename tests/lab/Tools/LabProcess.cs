using System.Diagnostics;
using System.Threading.Channels;

namespace Carrier.Lab.Tools;

/// <summary>A long-running process inside a namespace, its output written to a log and watched for a line.</summary>
internal sealed class LabProcess : IAsyncDisposable
{
    private static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan GracePeriod = TimeSpan.FromSeconds(3);

    private readonly string _name;
    private readonly Process _process;
    private readonly StreamWriter? _log;
    private readonly bool _outlivesRunner;
    private readonly Channel<string> _lines = Channel.CreateBounded<string>(new BoundedChannelOptions(1024) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly Lock _logGate = new();
    private readonly Task _pumps;

    private LabProcess(string name, Process process, StreamWriter? log, bool outlivesRunner)
    {
        _name = name;
        _process = process;
        _log = log;
        _outlivesRunner = outlivesRunner;
        _pumps = outlivesRunner ? Task.CompletedTask : Task.WhenAll(PumpAsync(process.StandardError, toLines: false), PumpAsync(process.StandardOutput, toLines: true));
    }

    public bool HasExited => _process.HasExited;

    public int Id => _process.Id;

    /// <summary>Sends a signal (<c>ip netns exec</c> becomes the command itself, so it reaches that).</summary>
    public void Signal(int signal) => _ = Libc.Kill(_process.Id, signal);

    /// <param name="outlivesRunner">The process keeps running after disposal, so its output is not taken: a broken pipe would end it.</param>
    public static LabProcess Start(string netns, string command, IEnumerable<string> arguments, string? logPath, bool outlivesRunner = false) =>
        Start(["ip", "netns", "exec", netns, command], arguments, $"{Path.GetFileName(command)} in {netns}", logPath, outlivesRunner);

    /// <summary>As <see cref="Start(string, string, IEnumerable{string}, string?, bool)"/>, in the runner's own namespace.</summary>
    public static LabProcess StartHere(string command, IEnumerable<string> arguments) =>
        Start([command], arguments, Path.GetFileName(command), logPath: null, outlivesRunner: false);

    private static LabProcess Start(string[] command, IEnumerable<string> arguments, string name, string? logPath, bool outlivesRunner)
    {
        string[] words = [.. arguments];
        var start = new ProcessStartInfo(command[0], [.. command[1..], .. words])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        StreamWriter? log = logPath is null ? null : new StreamWriter(logPath, append: true) { AutoFlush = true };
        log?.WriteLine($"$ {command[^1]} {string.Join(' ', words)}");
        Process process = Process.Start(start) ?? throw new LabException($"cannot start {command[^1]}");
        return new LabProcess(name, process, log, outlivesRunner);
    }

    /// <summary>Waits for a line of standard output that begins with <paramref name="beginning"/> and returns it.</summary>
    public async Task<string> WaitForLineAsync(string beginning, TimeSpan deadline, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(deadline);
        try
        {
            while (await NextLineAsync(limit.Token) is { } line)
            {
                if (line.StartsWith(beginning, StringComparison.Ordinal))
                {
                    return line;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new LabException($"{_name} printed no {beginning} line within {deadline.TotalSeconds} s");
        }

        throw new LabException($"{_name} ended before it printed {beginning}");
    }

    /// <summary>Writes a line to the process's input.</summary>
    public async Task WriteLineAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>Writes a line to the process and waits for the line that begins with <paramref name="answer"/>.</summary>
    public async Task<string> AskAsync(string line, string answer, CancellationToken cancellation)
    {
        await _process.StandardInput.WriteLineAsync(line.AsMemory(), cancellation);
        await _process.StandardInput.FlushAsync(cancellation);
        return await WaitForLineAsync(answer, AnswerDeadline, cancellation);
    }

    /// <summary>Asks the process to end, and ends it when it does not within the grace period.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_outlivesRunner)
        {
            await StopAsync();
        }

        _process.Dispose();
        if (_log is not null)
        {
            await _log.DisposeAsync();
        }
    }

    private async Task StopAsync()
    {
        if (!_process.HasExited)
        {
            _ = Libc.Kill(_process.Id, Libc.Terminate);
        }

        using var limit = new CancellationTokenSource(GracePeriod);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            WriteLog($"(still running {GracePeriod.TotalSeconds} s after SIGTERM: killed)");
            _process.Kill(entireProcessTree: true);
        }

        await _pumps;
    }

    private async Task<string?> NextLineAsync(CancellationToken cancellation)
    {
        if (_outlivesRunner)
        {
            return await _process.StandardOutput.ReadLineAsync(cancellation);
        }

        return await _lines.Reader.WaitToReadAsync(cancellation) && _lines.Reader.TryRead(out string? line) ? line : null;
    }

    private async Task PumpAsync(StreamReader reader, bool toLines)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            WriteLog(line);
            if (toLines)
            {
                _lines.Writer.TryWrite(line);
            }
        }

        if (toLines)
        {
            _lines.Writer.Complete();
        }
    }

    private void WriteLog(string line)
    {
        lock (_logGate)
        {
            _log?.WriteLine(line);
        }
    }
}
