using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Hosting;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier devnet</c>: a private ELA chain in this process, for development and tests.</summary>
internal static class DevnetCommand
{
    private const int MaxBlockSeconds = 3600;
    private const int PeersAbove = 2;

    private static readonly Option<int> Port = new("--port")
    {
        Description = "The port of JSON-RPC on loopback; 0 for any free one.",
        HelpName = "N",
        DefaultValueFactory = _ => new DevnetOptions().RpcPort,
    };

    private static readonly Option<int?> PeerPort = new("--peer-port")
    {
        Description = "The port of the peer protocol on loopback; 0 for any free one. Default: two above --port, as on every ELA network.",
        HelpName = "N",
    };

    private static readonly Option<int> BlockSeconds = new("--block-time")
    {
        Description = "Mine a block every N seconds; 0 for blocks on demand only (devnetmine, discretemining).",
        HelpName = "N",
    };

    private static readonly Option<string?> Folder = new("--folder") { Description = "Keep the blocks here. Default: the chain ends with the command.", HelpName = "path" };

    private static readonly Option<string> User = new("--user") { Description = "What callers authenticate with. Default: nothing.", DefaultValueFactory = _ => "" };

    private static readonly Option<string> Password = new("--password") { Description = "See --user.", DefaultValueFactory = _ => "" };

    static DevnetCommand()
    {
        Port.Validators.Add(result => Check(result.GetValueOrDefault<int>(), ushort.MaxValue, "--port", result.AddError));
        PeerPort.Validators.Add(result => Check(result.GetValueOrDefault<int?>() ?? 0, ushort.MaxValue, "--peer-port", result.AddError));
        BlockSeconds.Validators.Add(result => Check(result.GetValueOrDefault<int>(), MaxBlockSeconds, "--block-time", result.AddError));
    }

    public static Command Build()
    {
        var command = new Command("devnet", "Run a private ELA chain with a faucet, for development and tests; its coins are worth nothing.")
        {
            Port, PeerPort, BlockSeconds, Folder, User, Password,
        };
        command.SetAction(CommandContext.Action(RunAsync));
        return command;
    }

    private static async Task RunAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        int port = parsed.GetValue(Port);
        int seconds = parsed.GetValue(BlockSeconds);
        var options = new DevnetOptions
        {
            RpcPort = port,
            PeerPort = parsed.GetValue(PeerPort) ?? (port == 0 ? 0 : Math.Min(port + PeersAbove, ushort.MaxValue)),
            BlockTime = seconds == 0 ? null : TimeSpan.FromSeconds(seconds),
            Folder = parsed.GetValue(Folder),
            User = parsed.GetRequiredValue(User),
            Password = parsed.GetRequiredValue(Password),
        };
        context.Presenter.Warn("This is a devnet, for development and tests: one process makes all its blocks, everybody has the key of its faucet, and its coins are worth nothing.");
        DevnetNode node = await StartAsync(options, cancellationToken).ConfigureAwait(false);
        await using (node.ConfigureAwait(false))
        {
            uint height = node.Use((chain, _) => chain.Height);
            context.Presenter.Say(new NoteReply(string.Create(
                CultureInfo.InvariantCulture, $"READY {node.Address} height {height} foundation {Faucet.Owner} peers {node.PeerAddress}")));
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Being stopped is how this command ends well.
            }
        }
    }

    private static async Task<DevnetNode> StartAsync(DevnetOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await DevnetNode.StartAsync(options, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or InvalidDataException)
        {
            throw new AgentException(ExitCode.Failure, e.Message);
        }
    }

    private static void Check(int value, int max, string name, Action<string> complain)
    {
        if (value < 0 || value > max)
        {
            complain(string.Create(CultureInfo.InvariantCulture, $"{name} is a number from 0 to {max}."));
        }
    }
}
