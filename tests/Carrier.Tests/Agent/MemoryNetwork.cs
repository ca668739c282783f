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

    /// <summary>The largest session datagram.</summary>
    public int MaxDatagramBytes { get; set; } = 1_200;

    public Node Join(TrustId id) => _nodes[id] = new Node(this, id);

    internal sealed class Node(MemoryNetwork network, TrustId id) : INetwork
    {
        private readonly ConcurrentDictionary<string, Func<IPeerSession, CancellationToken, Task>> _handlers = new();
        private readonly ConcurrentBag<Task> _handling = [];
        private readonly CancellationTokenSource _stop = new();

        public TrustId TrustId { get; } = id;

        /// <summary>Sessions this node has dialled.</summary>
        public int Dials { get; private set; }

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

            var ends = new Ends();
            node._handling.Add(Task.Run(() => HandleAsync(handler, new Session(network, TrustId, ends, isDialler: false), node._stop.Token), CancellationToken.None));
            Dials++;
            return Task.FromResult<IPeerSession>(new Session(network, peer, ends, isDialler: true));
        }

        public IDisposable Listen(string protocol, Func<IPeerSession, CancellationToken, Task> handler)
        {
            _handlers[protocol] = handler;
            return new Removal(() => _handlers.TryRemove(protocol, out _));
        }

        public Task<IReadOnlyList<DeviceReport>> ResolveAsync(TrustId peer, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<DeviceReport>>([new DeviceReport("d0", 1, ["192.0.2.1:1"], [], null)]);

        public Task<OwnerPublicKey> FindOwnerKeyAsync(TrustId peer, CancellationToken cancellationToken) =>
            throw new NetworkException(NetworkFailure.NotFound, "Nobody has a key here.");

        public Task<StatusReport> GetStatusAsync(CancellationToken cancellationToken) =>
            Task.FromResult(new StatusReport(TrustId.ToString(), "client", true, [], [], "unknown", [], 0, 0, 0));

        public Task<IReadOnlyList<PeerReport>> GetPeersAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<PeerReport>>([]);

        public async ValueTask DisposeAsync()
        {
            network._nodes.TryRemove(new KeyValuePair<TrustId, Node>(TrustId, this));
            await _stop.CancelAsync();
            await Task.WhenAll(_handling).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        private static async Task HandleAsync(
            Func<IPeerSession, CancellationToken, Task> handler, Session session, CancellationToken cancellationToken)
        {
            await using (session)
            {
                await handler(session, cancellationToken);
            }
        }
    }

    /// <summary>What both ends of a session share.</summary>
    private sealed class Ends
    {
        public Channel<IDuplexPipe> Streams { get; } = Channel.CreateUnbounded<IDuplexPipe>();

        public Channel<byte[]> ToDialler { get; } = Channel.CreateUnbounded<byte[]>();

        public Channel<byte[]> ToDialled { get; } = Channel.CreateUnbounded<byte[]>();

        public TaskCompletionSource Closed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Close()
        {
            Streams.Writer.TryComplete();
            ToDialler.Writer.TryComplete();
            ToDialled.Writer.TryComplete();
            Closed.TrySetResult();
        }
    }

    private sealed class Session(MemoryNetwork network, TrustId peer, Ends ends, bool isDialler) : IPeerSession
    {
        public TrustId Peer { get; } = peer;

        public PathReport Path { get; } = new("direct", "192.0.2.1:1", 1);

        public Task Closed => ends.Closed.Task;

        public int MaxDatagramBytes => network.MaxDatagramBytes;

        public Task<IDuplexPipe> OpenStreamAsync(CancellationToken cancellationToken)
        {
            var pair = new DuplexPair();
            network.OnStream?.Invoke(pair);
            return ends.Streams.Writer.TryWrite(pair.Right) ? Task.FromResult(pair.Left) : throw new NetworkException(NetworkFailure.Ended, "The session ended.");
        }

        public async Task<IDuplexPipe?> AcceptStreamAsync(CancellationToken cancellationToken) =>
            await ends.Streams.Reader.WaitToReadAsync(cancellationToken) && ends.Streams.Reader.TryRead(out IDuplexPipe? stream) ? stream : null;

        public bool TrySendDatagram(ReadOnlySpan<byte> datagram) =>
            (isDialler ? ends.ToDialled : ends.ToDialler).Writer.TryWrite(datagram.ToArray());

        public async ValueTask<int> ReceiveDatagramAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            ChannelReader<byte[]> arriving = (isDialler ? ends.ToDialler : ends.ToDialled).Reader;
            if (!await arriving.WaitToReadAsync(cancellationToken) || !arriving.TryRead(out byte[]? datagram))
            {
                return -1;
            }

            datagram.CopyTo(destination);
            return datagram.Length;
        }

        public ValueTask DisposeAsync()
        {
            ends.Close();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Removal(Action remove) : IDisposable
    {
        public void Dispose() => remove();
    }
}
