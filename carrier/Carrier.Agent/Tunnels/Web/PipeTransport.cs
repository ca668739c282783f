using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Carrier.Agent.Tunnels.Web;

/// <summary>Connections for Kestrel that are pipes in this process instead of sockets.</summary>
internal sealed class PipeTransport : IConnectionListenerFactory, IConnectionListener
{
    // As many as the service lets in; it has counted them already.
    private readonly Channel<ConnectionContext> _offered = Channel.CreateUnbounded<ConnectionContext>(new UnboundedChannelOptions { SingleReader = true });
    private long _lastNumber;

    public EndPoint EndPoint { get; } = new NoAddress();

    public void Offer(IDuplexPipe pipe)
    {
        string number = Interlocked.Increment(ref _lastNumber).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var connection = new PipeConnection(number, pipe);
        if (!_offered.Writer.TryWrite(connection))
        {
            pipe.Output.Complete(new IOException("The site is being closed."));
            pipe.Input.Complete();
        }
    }

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => ValueTask.FromResult<IConnectionListener>(this);

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _offered.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false) && _offered.Reader.TryRead(out ConnectionContext? connection)
            ? connection
            : null;

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _offered.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => UnbindAsync();

    /// <summary>One connection. Not the framework's own default: its abort may meet a cancellation source that is disposed already.</summary>
    private sealed class PipeConnection(string id, IDuplexPipe pipe) : ConnectionContext
    {
        private readonly CancellationTokenSource _closed = new();

        public override string ConnectionId { get; set; } = id;

        public override IFeatureCollection Features { get; } = new FeatureCollection();

        public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

        public override IDuplexPipe Transport { get; set; } = pipe;

        public override CancellationToken ConnectionClosed
        {
            get => _closed.Token;
            set => throw new NotSupportedException();
        }

        public override void Abort(ConnectionAbortedException abortReason)
        {
            Transport.Input.CancelPendingRead();
            Transport.Output.CancelPendingFlush();
            ThreadPool.UnsafeQueueUserWorkItem(static source => source.Cancel(), _closed, preferLocal: false);
        }

        // The token source has no timer and no wait handle: it needs no disposal, and an abort may still come.
        public override async ValueTask DisposeAsync()
        {
            await Transport.Output.CompleteAsync().ConfigureAwait(false);
            await Transport.Input.CompleteAsync().ConfigureAwait(false);
            await base.DisposeAsync().ConfigureAwait(false);
        }
    }

    private sealed class NoAddress : EndPoint
    {
        public override string ToString() => "a Carrier service";
    }
}
