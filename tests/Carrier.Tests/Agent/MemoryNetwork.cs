using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Threading.Channels;
using Carrier.Agent.Network;
using Carrier.Core.Identity;

namespace Carrier.Tests.Agent;

/// <summary>A network in memory: nodes by TrustID, sessions that open at once and can be cut.</summary>
internal sealed class MemoryNetwork
{
    private readonly ConcurrentDictionary<TrustId, Node> _nodes = new();

    /// <summary>Called for every stream that is opened; may wrap or break it.</summary>
    public Action<DuplexPair>? OnStream { get; set; }

    public Node Join(TrustId id) => _nodes[id] = new Node(this, id);

    internal sealed class Node(MemoryNetwork network, TrustId id) : INetwork
    {
        private readonly ConcurrentDictionary<string, Func<IPeerSession, CancellationToken, Task>> _handlers = new();
        private readonly ConcurrentBag<Task> _handling = [];
        private readonly CancellationTokenSource _stop = new();

        public TrustId TrustId { get; } = id;

        public Task WaitUntilReadyAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<IPeerSession> ConnectAsync(TrustId peer, string protocol, CancellationToken cancellationToken)
        {
            if (!network._nodes.TryGetValue(peer, out Node? node))
            {
                throw new NetworkException(NetworkFailure.NotFound, "Nobody announced this TrustID.");
            }

            if (!node._handlers.TryGetValue(protocol, out Func<IPeerSession, CancellationToken, Task>? handler))
            {
                throw new NetworkException(NetworkFailure.Refused, "The peer does not speak this protocol.");
            }

            var streams = Channel.CreateUnbounded<IDuplexPipe>();
            node._handling.Add(Task.Run(() => handler(new Session(network, TrustId, streams), node._stop.Token), CancellationToken.None));
            return Task.FromResult<IPeerSession>(new Session(network, peer, streams));
        }

        public IDisposable Listen(string protocol, Func<IPeerSession, CancellationToken, Task> handler)
        {
            _handlers[protocol] = handler;
            return new Removal(() => _handlers.TryRemove(protocol, out _));
        }

        public Task<IReadOnlyList<DeviceReport>> ResolveAsync(TrustId peer, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<DeviceReport>>([new DeviceReport("d0", 1, ["192.0.2.1:1"], [], null)]);

        public Task<StatusReport> GetStatusAsync(CancellationToken cancellationToken) =>
            Task.FromResult(new StatusReport(TrustId.ToString(), "client", true, [], [], "unknown", [], 0, 0, 0));

        public Task<IReadOnlyList<PeerReport>> GetPeersAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<PeerReport>>([]);

        public async ValueTask DisposeAsync()
        {
            network._nodes.TryRemove(new KeyValuePair<TrustId, Node>(TrustId, this));
            await _stop.CancelAsync();
            await Task.WhenAll(_handling).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private sealed class Session(MemoryNetwork network, TrustId peer, Channel<IDuplexPipe> streams) : IPeerSession
    {
        public TrustId Peer { get; } = peer;

        public PathReport Path { get; } = new("direct", "192.0.2.1:1", 1);

        public async Task<IDuplexPipe> OpenStreamAsync(CancellationToken cancellationToken)
        {
            var pair = new DuplexPair();
            network.OnStream?.Invoke(pair);
            await streams.Writer.WriteAsync(pair.Right, cancellationToken);
            return pair.Left;
        }

        public async Task<IDuplexPipe?> AcceptStreamAsync(CancellationToken cancellationToken) =>
            await streams.Reader.WaitToReadAsync(cancellationToken) && streams.Reader.TryRead(out IDuplexPipe? stream) ? stream : null;

        public ValueTask DisposeAsync()
        {
            streams.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Removal(Action remove) : IDisposable
    {
        public void Dispose() => remove();
    }
}
