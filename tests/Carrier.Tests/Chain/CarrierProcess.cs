using System.Diagnostics;
using System.Text.Json;

namespace Carrier.Tests.Chain;

/// <summary>The command <c>carrier</c> in a process of its own.</summary>
internal static class CarrierProcess
{
    /// <summary>How long one command may take on a busy machine.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Starts a command; its output is the caller's to read.</summary>
    public static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Carrier.Agent.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Remove("CARRIER_PASSPHRASE");
        start.Environment.Remove("CARRIER_ELA_NODES");
        return Process.Start(start)!;
    }

    /// <summary>Runs a command to its end.</summary>
    public static async Task<Ending> RunAsync(string input, params string[] arguments)
    {
        using Process process = Start(arguments);
        await process.StandardInput.WriteLineAsync(input);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(Patience);
        await process.WaitForExitAsync(patience.Token);
        JsonElement[] lines = [.. (await output).Split('\n').Where(line => line.StartsWith('{')).Select(line => JsonDocument.Parse(line).RootElement)];
        return new Ending(process.ExitCode, lines, await output + await errors);
    }

    /// <summary>How a command ended.</summary>
    /// <param name="Code">Its exit code.</param>
    /// <param name="Lines">Its JSON lines.</param>
    /// <param name="Text">All it printed.</param>
    public sealed record Ending(int Code, JsonElement[] Lines, string Text)
    {
        public JsonElement Line(string type) => Lines.Single(line => line.Text("type") == type);

        /// <summary>The same, when it ended well.</summary>
        public Ending Well()
        {
            Assert.True(Code == 0, Text);
            return this;
        }
    }
}
