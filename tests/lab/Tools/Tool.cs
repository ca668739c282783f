using System.Diagnostics;

namespace Carrier.Lab.Tools;

/// <summary>What a finished command left behind.</summary>
internal sealed record ToolResult(int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;
}

/// <summary>Runs a short command to its end: <c>ip</c>, <c>nft</c>, or one <c>carrier</c> call.</summary>
internal static class Tool
{
    /// <summary>The exit code given to a command that was still running at its deadline; the one <c>timeout(1)</c> uses.</summary>
    public const int TimedOut = 124;

    public static async Task<ToolResult> RunAsync(
        string command, IEnumerable<string> arguments, string? input = null, TimeSpan? deadline = null, CancellationToken cancellation = default)
    {
        var start = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start) ?? throw new LabException($"cannot start {command}");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(deadline ?? TimeSpan.FromSeconds(30));
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        bool late = false;
        try
        {
            await WriteAndCloseAsync(process.StandardInput, input);
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            late = true;
        }

        var result = new ToolResult(late ? TimedOut : process.ExitCode, await output, await error);
        cancellation.ThrowIfCancellationRequested();
        return result;
    }

    /// <summary>As <see cref="RunAsync"/>, for commands whose failure means the lab cannot stand.</summary>
    public static async Task<string> MustRunAsync(string command, IEnumerable<string> arguments, string? input = null, CancellationToken cancellation = default)
    {
        string[] words = [.. arguments];
        ToolResult result = await RunAsync(command, words, input, cancellation: cancellation);
        string given = input is null ? "" : $"\nits input was:\n{input}";
        return result.Succeeded
            ? result.Output
            : throw new LabException($"{command} {string.Join(' ', words)} failed ({result.ExitCode}): {result.Error.Trim()}{given}");
    }

    public static bool Exists(string command) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => folder.Length > 0 && File.Exists(Path.Combine(folder, command)));

    private static async Task WriteAndCloseAsync(StreamWriter writer, string? input)
    {
        try
        {
            await using (writer)
            {
                await writer.WriteAsync(input);
            }
        }
        catch (IOException)
        {
            // The command ended without reading its input; its exit code and error text tell why.
        }
    }
}
