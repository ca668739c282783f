using Carrier.Agent.Channels;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Agent.Transfer;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Service;

/// <summary>A node and what answers on it, for as long as a process or a command lives. Holds the home's lock meanwhile.</summary>
internal sealed class AgentRuntime : IAsyncDisposable
{
    private readonly HomeLock _lock;
    private readonly Tunnelling _tunnels;
    private readonly List<IDisposable> _listeners = [];
    private readonly ChannelService? _channels;

    private AgentRuntime(HomeLock homeLock, INetwork network, Inbox inbox, Tunnelling tunnels, ChannelService? channels, TimeProvider time)
    {
        _lock = homeLock;
        _tunnels = tunnels;
        _channels = channels;
        Network = network;
        Service = new AgentService(network, inbox, tunnels, channels is null ? null : new Channelling(channels, network, time), time);
    }

    public INetwork Network { get; }

    public AgentService Service { get; }

    /// <summary>What keeps channels from crediting anything, such as a second node that is not configured.</summary>
    public string? ChannelShortage => _channels?.Desk.Shortage;

    /// <summary>Takes the home, starts its node and listens; whether the node is ready is for the caller to await.</summary>
    /// <exception cref="AgentException">Another process has this home, or its channels cannot be opened.</exception>
    public static async Task<AgentRuntime> StartAsync(
        AgentHome home,
        Func<CancellationToken, Task<INetwork>> startNode,
        ILogger logger,
        CancellationToken cancellationToken,
        Func<INetwork, ILogger, CancellationToken, Task<ChannelService>>? startChannels = null)
    {
        home.Ensure();
        HomeLock homeLock = HomeLock.TryTake(home) ?? throw new AgentException(
            ExitCode.Failure, $"Another carrier process uses '{home.FullPath}': wait for it, stop it, or use another --home.");
        INetwork? network = null;
        try
        {
            network = await startNode(cancellationToken).ConfigureAwait(false);
            ChannelService? channels = startChannels is null ? null : await startChannels(network, logger, cancellationToken).ConfigureAwait(false);
            var inbox = new Inbox(home, TimeProvider.System, logger);
            var tunnels = new Tunnelling(home, network, TimeProvider.System, logger);
            var runtime = new AgentRuntime(homeLock, network, inbox, tunnels, channels, TimeProvider.System);
            runtime._listeners.Add(network.Listen(TransferLimits.Protocol, inbox.ReceiveAsync));
            runtime._listeners.Add(network.Listen(Pinging.Protocol, Pinging.AnswerAsync));
            return runtime;
        }
        catch
        {
            if (network is not null)
            {
                await network.DisposeAsync().ConfigureAwait(false);
            }

            homeLock.Dispose();
            throw;
        }
    }

    /// <summary>Opens the services and forwards that were kept; for the daemon alone.</summary>
    public Task StartKeptTunnelsAsync() => _tunnels.StartKeptAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (IDisposable listener in _listeners)
        {
            listener.Dispose();
        }

        await _tunnels.DisposeAsync().ConfigureAwait(false);
        if (_channels is not null)
        {
            await _channels.DisposeAsync().ConfigureAwait(false);
        }

        await Network.DisposeAsync().ConfigureAwait(false);
        _lock.Dispose();
    }
}
