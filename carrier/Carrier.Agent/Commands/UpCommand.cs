using System.CommandLine;
using System.Diagnostics;
using Carrier.Agent.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.Service;
using Carrier.Agent.State;
using Carrier.Agent.Wallet;
using Carrier.Chain.Access;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier up</c>: runs the agent until it is stopped.</summary>
internal static class UpCommand
{
    private static readonly TimeSpan SlowStart = TimeSpan.FromSeconds(15);

    private static readonly Option<string?> Listen = new("--listen") { Description = "Bind this address. Default: any address, a free port.", HelpName = "ip:port" };

    private static readonly Option<bool> NoPortMapping = new("--no-port-mapping") { Description = "Do not ask the router for a forwarded port." };

    private static readonly Option<bool> NoMulticastDns = new("--no-mdns") { Description = "Do not look for devices on the same link, nor be found there." };

    public static Command Build()
    {
        var command = new Command("up", """
            Run the agent in the foreground; prints READY and the TrustID once it can be reached.

            With --network or --node it runs payment channels on that chain, from then on at every start: the owner's key is opened for them.
            """)
        {
            ReceiveOptions.Allow, ReceiveOptions.Folder, Listen, NoPortMapping, NoMulticastDns, WalletOptions.Network, WalletOptions.Node, WalletOptions.Foundation,
        };
        command.SetAction(CommandContext.Action(RunAsync));
        return command;
    }

    private static async Task RunAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        ReceiveRequest attendance = ReceiveOptions.Read(context, parsed, once: false, asks: false);
        ChainChoice? channels = ChooseChain(context, parsed);
        AgentRuntime runtime = await context.StartAgentAsync(
            parsed.GetValue(Listen), !parsed.GetValue(NoPortMapping), !parsed.GetValue(NoMulticastDns), channels, cancellationToken).ConfigureAwait(false);
        await using (runtime.ConfigureAwait(false))
        {
            if (runtime.ChannelShortage is { } shortage)
            {
                context.Presenter.Warn(shortage);
            }

            ControlServer server = ControlServer.Start(context.Home, runtime.Service, NullLogger.Instance);
            await using (server.ConfigureAwait(false))
            {
                await runtime.StartKeptTunnelsAsync().ConfigureAwait(false);
                var quiet = new QuietPresenter(context.Presenter);
                Task attending = runtime.Service.RunAsync(attendance, quiet, cancellationToken);
                await WaitUntilReadyAsync(context, runtime, cancellationToken).ConfigureAwait(false);
                Network.StatusReport status = await runtime.Network.GetStatusAsync(cancellationToken).ConfigureAwait(false);
                TimeSpan start = DateTime.UtcNow - Process.GetCurrentProcess().StartTime.ToUniversalTime();
                context.Presenter.Say(new ReadyReply(status.TrustId, status.LocalEndpoints, Math.Round(start.TotalMilliseconds)));
                try
                {
                    await attending.ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    // Being stopped is how this command ends well.
                }
            }
        }
    }

    /// <summary>The chain of this home's channels: as the line says, which is remembered, else as it was remembered. An agent that forgot it would leave money alone.</summary>
    private static ChainChoice? ChooseChain(CommandContext context, ParseResult parsed)
    {
        ChannelSettings settings = ChannelSettings.Load(context.Home);
        if (!WalletOptions.AreGiven(parsed))
        {
            return settings.Chain;
        }

        ChainChoice choice = WalletOptions.Read(parsed);
        foreach (RpcNode node in choice.ToNodes())
        {
            node.Dispose(); // only to find out now whether they read
        }

        if (settings.Chain is { } before && before.Network != choice.Network && ChannelService.HasRunning(context.Home, before.ToNetwork().Name))
        {
            throw new AgentException(
                ExitCode.Usage, $"This home has channels on {before.Network} that are not over, and nobody would watch them: close them first, or use another --home for {choice.Network}.");
        }

        context.Home.Ensure();
        (settings with { Chain = choice }).Save(context.Home);
        return choice;
    }

    private static async Task WaitUntilReadyAsync(CommandContext context, AgentRuntime runtime, CancellationToken cancellationToken)
    {
        Task ready = runtime.Network.WaitUntilReadyAsync(cancellationToken);
        if (await Task.WhenAny(ready, Task.Delay(SlowStart, cancellationToken)).ConfigureAwait(false) != ready)
        {
            context.Presenter.Warn("no seed has answered yet; still trying. Check --seed key@host:port and that UDP may leave this machine.");
        }

        await ready.ConfigureAwait(false);
    }

    /// <summary>A daemon says what arrived, and does not fill its log with how far it is.</summary>
    private sealed class QuietPresenter(IPresenter inner) : IConversation
    {
        public Stream Input => Stream.Null;

        public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken)
        {
            if (reply is not ProgressReply)
            {
                inner.Say(reply);
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken) => ValueTask.FromResult(false);
    }
}
