using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Carrier.Agent.Control;
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

        Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no agent runs for this home, 4 peer, name or record not found or not reached,
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
        RegistryCommand.Build(),
        NameCommand.Build(),
        DemoCommand.Build(),
        DevnetCommand.Build(),
        CheckpointsCommand.Build(),
    };

    /// <summary>Runs one command line and returns its exit code.</summary>
    /// <param name="help">Where help and complaints about the line itself go; null for the console.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter? help = null)
    {
        ParseResult parsed = Build().Parse(args);
        if (parsed.Errors.Count > 0 && args.Count > 0)
        {
            return Complain(parsed, args.Contains(GlobalOptions.Json.Name), help);
        }

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

    // What is wrong and where help is: the whole help would scroll the complaint away.
    private static int Complain(ParseResult parsed, bool asJson, TextWriter? output)
    {
        var path = new Stack<string>();
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult command; at = at.Parent)
        {
            path.Push(command.Command.Name);
        }

        // A word that is no command is the reason why none was given.
        string message = string.Join(' ', parsed.UnmatchedTokens.Count > 0
            ? parsed.UnmatchedTokens.Select(token => $"'{SafeText.Of(token)}' is not understood here.")
            : parsed.Errors.Select(error => error.Message));
        EndReply end = new(ExitCode.Usage, $"{message} See {string.Join(' ', path)} --help.");
        IPresenter presenter = asJson ? new JsonPresenter(output ?? Console.Out) : new TextPresenter(output ?? Console.Out, isTerminal: false);
        presenter.End(end);
        return (int)end.ExitCode;
    }
}
