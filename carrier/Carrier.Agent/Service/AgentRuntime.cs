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

    private AgentRuntime(HomeLock homeLock, INetwork network, Inbox inbox, Tunnelling tunnels, TimeProvider time)
    {
        _lock = homeLock;
        _tunnels = tunnels;
        Network = network;
        Service = new AgentService(network, inbox, tunnels, time);
    }

    public INetwork Network { get; }

    public AgentService Service { get; }

    /// <summary>Takes the home, starts its node and listens; whether the node is ready is for the caller to await.</summary>
    /// <exception cref="AgentException">Another process has this home.</exception>
    public static async Task<AgentRuntime> StartAsync(
        AgentHome home, Func<CancellationToken, Task<INetwork>> startNode, ILogger logger, CancellationToken cancellationToken)
    {
        home.Ensure();
        HomeLock homeLock = HomeLock.TryTake(home) ?? throw new AgentException(
            ExitCode.Failure, $"Another carrier process uses '{home.FullPath}': wait for it, stop it, or use another --home.");
        try
        {
            INetwork network = await startNode(cancellationToken).ConfigureAwait(false);
            var inbox = new Inbox(home, TimeProvider.System, logger);
            var tunnels = new Tunnelling(home, network, TimeProvider.System, logger);
            var runtime = new AgentRuntime(homeLock, network, inbox, tunnels, TimeProvider.System);
            runtime._listeners.Add(network.Listen(TransferLimits.Protocol, inbox.ReceiveAsync));
            runtime._listeners.Add(network.Listen(Pinging.Protocol, Pinging.AnswerAsync));
            return runtime;
        }
        catch
        {
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
        await Network.DisposeAsync().ConfigureAwait(false);
        _lock.Dispose();
    }
}
