using Carrier.Agent.Network;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary>One session for each peer that something here forwards to, shared by all of it; dialled when first needed, again when it has died, closed when idle.</summary>
internal sealed class PeerLinks : IAsyncDisposable
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(15);

    private readonly INetwork _network;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Dictionary<TrustId, Task<LinkSession>> _links = [];
    private readonly OwnedTasks _closing = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _sweeping;

    public PeerLinks(INetwork network, TimeProvider time)
    {
        _network = network;
        _time = time;
        _sweeping = SweepAsync();
    }

    /// <summary>Opens a tunnel to a service of a peer; whether the service takes it, its answer tells.</summary>
    /// <param name="flow">The UDP flow it is for, if it is for one.</param>
    /// <exception cref="NetworkException">The peer was not reached.</exception>
    public async Task<Tunnel> OpenAsync(TrustId peer, ServiceName service, DatagramFlow? flow, CancellationToken cancellationToken)
    {
        LinkSession link = await FindAsync(peer).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (!await link.IsPresentAsync(TunnelLimits.PresenceLasts).WaitAsync(cancellationToken).ConfigureAwait(false))
        {
            Drop(peer, link);
            link = await FindAsync(peer).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        try
        {
            Tunnel tunnel = await link.OpenAsync(service, flow, cancellationToken).ConfigureAwait(false);
            _closing.Begin(() => WatchAsync(peer, link));
            return tunnel;
        }
        catch (NetworkException) when (!link.IsUsable)
        {
            // It died while it was at rest, and this is how that shows.
            link = await FindAsync(peer).WaitAsync(cancellationToken).ConfigureAwait(false);
            return await link.OpenAsync(service, flow, cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _sweeping.ConfigureAwait(false);
        Task<LinkSession>[] links;
        lock (_gate)
        {
            links = [.. _links.Values];
            _links.Clear();
        }

        await Task.WhenAll(links.Select(CloseAsync)).ConfigureAwait(false);
        await _closing.WhenEndedAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private static async Task CloseAsync(Task<LinkSession> link)
    {
        await ((Task)link).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (link.IsCompletedSuccessfully)
        {
            await (await link.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The peer's session, or the one being dialled. Whoever stops waiting does not stop the dial: others may wait for it too.</summary>
    private Task<LinkSession> FindAsync(TrustId peer)
    {
        lock (_gate)
        {
            if (_links.TryGetValue(peer, out Task<LinkSession>? link))
            {
                if (!link.IsCompleted || (link.IsCompletedSuccessfully && link.Result.IsUsable))
                {
                    return link;
                }

                _links.Remove(peer);
                _closing.Begin(() => CloseAsync(link));
            }

            if (_stopping.IsCancellationRequested)
            {
                throw new NetworkException(NetworkFailure.Stopped, "The agent is stopping.");
            }

            if (_links.Count >= TunnelLimits.MaxPeers)
            {
                throw new NetworkException(NetworkFailure.Ended, "Too many peers are forwarded to at one time.");
            }

            return _links[peer] = DialAsync(peer, _stopping.Token);
        }
    }

    /// <summary>Beside a new tunnel: a peer that went a moment ago shows in seconds, not in minutes.</summary>
    private async Task WatchAsync(TrustId peer, LinkSession link)
    {
        if (!await link.IsPresentAsync(TunnelLimits.PresenceAssumed).ConfigureAwait(false))
        {
            Drop(peer, link);
        }
    }

    /// <summary>Lets go of a session whose peer is gone; what it still carries ends with it.</summary>
    private void Drop(TrustId peer, LinkSession dead)
    {
        lock (_gate)
        {
            if (_links.TryGetValue(peer, out Task<LinkSession>? link) && link.IsCompletedSuccessfully && link.Result == dead)
            {
                _links.Remove(peer);
                _closing.Begin(() => CloseAsync(link));
            }
        }
    }

    private async Task<LinkSession> DialAsync(TrustId peer, CancellationToken cancellationToken)
    {
        // Not under the lock it was begun in.
        await Task.Yield();
        return new LinkSession(await _network.ConnectAsync(peer, TunnelLimits.Protocol, cancellationToken).ConfigureAwait(false), _time);
    }

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(SweepEvery, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                lock (_gate)
                {
                    foreach ((TrustId peer, Task<LinkSession> link) in _links)
                    {
                        if (link.IsCompleted && !(link.IsCompletedSuccessfully && link.Result is { IsUsable: true, IsIdle: false }))
                        {
                            _links.Remove(peer);
                            _closing.Begin(() => CloseAsync(link));
                        }
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }
}
