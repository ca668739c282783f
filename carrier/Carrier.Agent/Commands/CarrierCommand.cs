using System.CommandLine;
using System.CommandLine.Help;
using Carrier.Agent.State;

namespace Carrier.Agent.Commands;

/// <summary>The command line of <c>carrier</c>.</summary>
internal static class CarrierCommand
{
    /// <summary>What Ctrl-C and SIGTERM grant a command to clean up, before the process ends anyway.</summary>
    private static readonly TimeSpan DrainFor = TimeSpan.FromSeconds(10);

    public static Command Build() => new(
        "carrier",
        """
        Reach any device by its TrustID.

        Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no agent runs for this home, 4 peer not found or not reached,
        5 peer refused, 6 interrupted (run it again to go on), 130 stopped by Ctrl-C.
        """)
    {
        new HelpOption(),
        new VersionOption(),
        GlobalOptions.Home,
        GlobalOptions.Json,
        GlobalOptions.Seed,
        GlobalOptions.Verbose,
        InitCommand.Build(),
        IdCommand.Build(),
        UpCommand.Build(),
        StatusCommand.Build(),
        PeersCommand.Build(),
        ResolveCommand.Build(),
        PingCommand.Build(),
        SendCommand.Build(),
        ReceiveCommand.Build(),
        ServeCommand.Build(),
        ForwardCommand.Build(),
        PipeCommand.Build(),
        SocksCommand.Build(),
        ServicesCommand.Build(),
        AllowCommand.BuildAllow(),
        AllowCommand.BuildDeny(),
        WalletCommand.Build(),
        ChannelCommand.Build(),
        DemoCommand.Build(),
        DevnetCommand.Build(),
    };

    /// <summary>Runs one command line and returns its exit code.</summary>
    /// <param name="help">Where help and complaints about the line itself go; null for the console.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter? help = null)
    {
        ParseResult parsed = Build().Parse(args);
        var configuration = new InvocationConfiguration
        {
            ProcessTerminationTimeout = DrainFor,
            EnableDefaultExceptionHandler = false,
            Output = help ?? Console.Out,
            Error = help ?? Console.Error,
        };
        int code = await parsed.InvokeAsync(configuration).ConfigureAwait(false);
        return parsed.Errors.Count > 0 ? (int)ExitCode.Usage : code;
    }
}
