using System.CommandLine;
using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Agent.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.Service;
using Carrier.Agent.State;
using Carrier.Core.Identity;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Agent.Commands;

/// <summary>What a command runs with: its home, how it talks to the user, and how it gets hold of an agent.</summary>
internal sealed class CommandContext
{
    private readonly string[] _seeds;
    private readonly bool _verbose;
    private string? _passphrase;

    private CommandContext(ParseResult parsed)
    {
        Home = AgentHome.At(parsed.GetValue(GlobalOptions.Home));
        _seeds = parsed.GetValue(GlobalOptions.Seed) ?? [];
        _verbose = parsed.GetValue(GlobalOptions.Verbose);
        Presenter = parsed.GetValue(GlobalOptions.Json) ? new JsonPresenter(Console.Out) : TextPresenter.OnConsole();
    }

    public AgentHome Home { get; }

    public IPresenter Presenter { get; private set; }

    public IdentityStore Identity => new(Home, SystemRandomSource.Shared, TimeProvider.System);

    /// <summary>Wraps a command: whatever ends it becomes an exit code and, unless it is 0, a sentence for the user.</summary>
    public static Func<ParseResult, CancellationToken, Task<int>> Action(Func<CommandContext, ParseResult, CancellationToken, Task> body) =>
        async (parsed, cancellationToken) =>
        {
            var context = new CommandContext(parsed);
            EndReply end;
            try
            {
                await body(context, parsed, cancellationToken).ConfigureAwait(false);
                return (int)ExitCode.Ok;
            }
            catch (AgentException e)
            {
                end = new EndReply(e.ExitCode, e.Message);
            }
            catch (NetworkException e)
            {
                end = new EndReply(ExitCode.Failure, e.Message);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                end = new EndReply(ExitCode.Cancelled, "Stopped.");
            }
            catch (ExternalException e) when (IsOfDatabase(e))
            {
                end = new EndReply(ExitCode.Failure, $"A file of this home could not be used ({e.Message}). Make room on the disk, or see who else has it open, and run the command again: nothing was sent that was not noted.");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                end = new EndReply(ExitCode.Failure, e.Message);
            }

            context.Presenter.End(end);
            return (int)end.ExitCode;
        };

    /// <summary>Runs a request on the agent of this home; without one, on a node that lives as long as the command.</summary>
    public async Task RunAsync(ControlRequest request, CancellationToken cancellationToken)
    {
        if (await TryRunOnDaemonAsync(request, Presenter, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        AgentRuntime runtime = await StartAgentAsync(null, portMapping: false, multicastDns: true, channels: null, cancellationToken).ConfigureAwait(false);
        await using (runtime.ConfigureAwait(false))
        {
            await runtime.Network.WaitUntilReadyAsync(cancellationToken).ConfigureAwait(false);
            await runtime.Service.RunAsync(request, Presenter, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs a request that has no meaning without a running agent.</summary>
    public Task RunOnDaemonAsync(ControlRequest request, CancellationToken cancellationToken) => RunOnDaemonAsync(request, Presenter, cancellationToken);

    /// <summary>… and tells somebody else what is said of it.</summary>
    public async Task RunOnDaemonAsync(ControlRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        if (!await TryRunOnDaemonAsync(request, conversation, cancellationToken).ConfigureAwait(false))
        {
            throw NoAgent();
        }
    }

    /// <summary>Runs a request whose data goes through standard input and output; what is said of it goes to standard error.</summary>
    public async Task PipeOnDaemonAsync(PipeRequest request, CancellationToken cancellationToken)
    {
        Presenter = Presenter is JsonPresenter ? new JsonPresenter(Console.Error) : Presenter;
        if (!await TryRunOnDaemonAsync(request, new PipePresenter(), cancellationToken).ConfigureAwait(false))
        {
            throw NoAgent();
        }
    }

    /// <summary>Opens the keys and starts a node of this home.</summary>
    /// <param name="listen">What to bind; null for any address.</param>
    /// <param name="portMapping">Whether to ask the router for a port: not worth it for a node that lives as long as a command.</param>
    /// <param name="multicastDns">Whether to look on the same link too.</param>
    /// <param name="channels">The chain its payment channels are on; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<AgentRuntime> StartAgentAsync(string? listen, bool portMapping, bool multicastDns, ChainChoice? channels, CancellationToken cancellationToken)
    {
        // A logging framework is a quarter of the start: only for who asked.
        ILoggerFactory loggers = _verbose ? ConsoleLog.Create() : NullLoggerFactory.Instance;
        AgentConfig config = AgentConfig.Load(Home);
        IReadOnlyList<string> seeds = _seeds.Length > 0 ? _seeds : config.Seeds;
        return AgentRuntime.StartAsync(
            Home,
            cancel =>
            {
                KeystoreContents keys = OpenKeys();
                return CarrierNetwork.StartAsync(new NodeSettings(keys, seeds, listen, portMapping, multicastDns, Home.NodeState, loggers), cancel);
            },
            loggers.CreateLogger("Carrier.Agent"),
            cancellationToken,
            channels is null ? null : (network, logger, cancel) => ChannelService.StartAsync(Home, network, OpenOwner(), channels, logger, cancel));
    }

    /// <summary>Reads a TrustID from the command line, and says once if its capitals are no checksum.</summary>
    public TrustId ReadTrustId(string text)
    {
        TrustIdParse parse = TrustId.Parse(text, out TrustId id);
        if (parse == TrustIdParse.Invalid)
        {
            throw new AgentException(
                ExitCode.Usage, "That is no TrustID: give 0x and forty hex digits, or an address that begins with E. carrier id shows yours.");
        }

        if (parse == TrustIdParse.ChecksumMismatch)
        {
            Presenter.Warn($"The capitals of that TrustID are no valid checksum; going on with {id}. Compare it digit by digit if in doubt.");
        }

        return id;
    }

    /// <summary>Opens the owner's key, which pays and signs for the owner; the contents are the caller's to dispose.</summary>
    public KeystoreContents OpenOwner()
    {
        IdentityStore store = Identity;
        return store.OpenOwner(AskPassphrase(store));
    }

    /// <summary>Opens the owner's and this device's keys with one question; both contents are the caller's to dispose.</summary>
    public (KeystoreContents Owner, KeystoreContents Device) OpenOwnerAndDevice()
    {
        IdentityStore store = Identity;
        KeystoreContents owner = store.OpenOwner(AskPassphrase(store));
        return (owner, store.Open(AskPassphrase(store)));
    }

    // A method of its own, so that System.Data is loaded for an exception that may be one of its own and not for every command.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsOfDatabase(ExternalException e) => e is DbException;

    private static AgentException NoAgent() => new(ExitCode.NoAgent, "no agent is running for this home; start one with carrier up");

    private async Task<bool> TryRunOnDaemonAsync(ControlRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        ControlClient? daemon = await ControlClient.TryConnectAsync(Home, cancellationToken).ConfigureAwait(false);
        if (daemon is null)
        {
            return false;
        }

        await using (daemon.ConfigureAwait(false))
        {
            await daemon.RunAsync(request, conversation, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private KeystoreContents OpenKeys()
    {
        IdentityStore store = Identity;
        return store.Open(AskPassphrase(store));
    }

    /// <summary>Both keystores have one passphrase: it is typed once.</summary>
    private string? AskPassphrase(IdentityStore store) => _passphrase ??= store.NeedsPassphrase() ? Passphrase.Ask("Passphrase: ") : null;
}
