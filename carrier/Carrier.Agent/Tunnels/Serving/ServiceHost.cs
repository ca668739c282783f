using System.Collections.Concurrent;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Serving;

/// <summary>The services this agent publishes, and the sessions of whoever comes for them.</summary>
internal sealed class ServiceHost(TrustId self, AccessLog log, TimeProvider time) : IAsyncDisposable
{
    /// <summary>More services than this are a mistake.</summary>
    public const int MaxServices = 256;

    private readonly ConcurrentDictionary<string, PublishedService> _services = new(StringComparer.Ordinal);

    public IEnumerable<TunnelReport> Reports => _services.Values.Select(service => service.Report);

    /// <param name="refused">Told of peers who asked for it and are not let in.</param>
    /// <exception cref="AgentException">The name is taken, or the definition is none.</exception>
    public async ValueTask<PublishedService> PublishAsync(ServiceDefinition definition, bool isKept, Action<TrustId> refused)
    {
        var service = new PublishedService(definition, self, time, isKept, refused);
        if (_services.Count < MaxServices && _services.TryAdd(definition.Name, service))
        {
            return service;
        }

        await service.DisposeAsync().ConfigureAwait(false);
        throw new AgentException(
            ExitCode.Usage, $"A service named '{definition.Name}' is published already: choose another name, or run carrier services stop {definition.Name}.");
    }

    /// <summary>Takes a service back and ends its connections; false when there is none of this name.</summary>
    public async ValueTask<bool> WithdrawAsync(string name)
    {
        if (!_services.TryRemove(name, out PublishedService? service))
        {
            return false;
        }

        await service.DisposeAsync().ConfigureAwait(false);
        return true;
    }

    /// <summary>Answers one session to its end.</summary>
    public Task AnswerAsync(IPeerSession session, CancellationToken cancellationToken) =>
        new ServedSession(session, this, log, time).RunAsync(cancellationToken);

    /// <summary>The service a peer asked for; null when there is none, or not for it.</summary>
    public PublishedService? Find(TunnelRequest request, TrustId peer)
    {
        if (!_services.TryGetValue(request.Service.Text, out PublishedService? service))
        {
            return null;
        }

        if (service.Admits(peer, request.Kind))
        {
            return service;
        }

        service.Refuse(peer);
        return null;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (string name in _services.Keys)
        {
            await WithdrawAsync(name).ConfigureAwait(false);
        }
    }
}
