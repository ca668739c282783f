using Carrier.Core.Identity;
using Carrier.Driving;

namespace Carrier;

/// <summary>An encrypted session with one device of a TrustID, both ends proven: streams and datagrams over whatever path is best now.</summary>
/// <remarks>All members may be called from any thread. It lives until one side closes it, the peer falls silent, or the node stops.</remarks>
public sealed class CarrierSession : IAsyncDisposable
{
    /// <summary>How long a close waits for the peer to have what was sent.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(5);

    /// <summary>Streams opened by the peer and not yet accepted. The transport's own limit is lower, so none is ever lost.</summary>
    private const int MaxUnaccepted = 4096;

    private readonly SessionDriver _driver;
    private readonly Queue<CarrierStream> _opened = new(); // by the peer; locked
    private List<Awaited<CarrierStream?>>? _accepts; // who waits for the peer's next stream; locked as _opened
    private Awaited<bool>? _ended; // what closing waits for; locked as _opened
    private SemaphoreSlim? _datagrams;
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile PathStatus _path;
    private volatile CarrierException? _end;
    private volatile int _maxDatagramBytes;

    // Made when first needed, as the list above: an idle session must stay small.
    private SemaphoreSlim Datagrams => LazyInitializer.EnsureInitialized(ref _datagrams, static () => new SemaphoreSlim(0));

    internal CarrierSession(SessionDriver driver, PathStatus path)
    {
        _driver = driver;
        _path = path;
        _maxDatagramBytes = driver.Machine.MaxDatagramBytes;
    }

    /// <summary>Raised on the thread pool when packets begin to leave over another path. The session itself goes on unharmed; what a subscriber throws is logged.</summary>
    public event EventHandler<PathStatus>? PathChanged;

    /// <summary>Who is at the other end, proven in the handshake.</summary>
    public TrustId Peer => _driver.Node.Peer;

    /// <summary>What the one who dialled came to speak.</summary>
    public string Protocol => _driver.Node.Protocol;

    /// <summary>Whether this side dialled.</summary>
    public bool IsOutgoing => _driver.Node.IsInitiator;

    /// <summary>The path in use; its round trip is at most a moment old while packets come.</summary>
    public PathStatus Path
    {
        get => _path;
        internal set => _path = value;
    }

    /// <summary>The largest datagram that fits the path now. It may grow, and shrinks when the path changes.</summary>
    public int MaxDatagramBytes
    {
        get => _maxDatagramBytes;
        internal set => _maxDatagramBytes = value;
    }

    /// <summary>Completes when the session has ended, however; never faults.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Why the session ended, or null while it lives.</summary>
    public CarrierError? CloseError => _end?.Error;

    /// <summary>The code the session was closed with; zero while it lives.</summary>
    public ulong CloseCode => _end?.Code ?? 0;

    /// <summary>Opens a stream; waits while the peer allows no further one.</summary>
    /// <exception cref="CarrierException">The session is over.</exception>
    public ValueTask<CarrierStream> OpenStreamAsync(CancellationToken cancellationToken = default) => new PendingOpen(_driver).RunAsync(cancellationToken);

    /// <summary>Waits for the peer's next stream; null when the session has ended.</summary>
    public async ValueTask<CarrierStream?> AcceptStreamAsync(CancellationToken cancellationToken = default)
    {
        Awaited<CarrierStream?> accept;
        lock (_opened)
        {
            // Looked at first: what came before the end is still taken.
            if (_opened.TryDequeue(out CarrierStream? stream))
            {
                return stream;
            }

            if (_end is not null)
            {
                return null;
            }

            cancellationToken.ThrowIfCancellationRequested();
            accept = _driver.NewAwaited<CarrierStream?>();
            (_accepts ??= []).Add(accept);
        }

        await using (cancellationToken.UnsafeRegister((_, token) => CancelAccept(accept, token), null).ConfigureAwait(false))
        {
            return await accept.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Sends an unreliable, unordered message, encrypted like all else. False when it is larger than <see cref="MaxDatagramBytes"/>, too many wait, or
    /// the session is over.</summary>
    public bool TrySendDatagram(ReadOnlySpan<byte> datagram)
    {
        if (_end is not null || datagram.Length > MaxDatagramBytes || !_driver.Outgoing.TryPut(datagram))
        {
            return false;
        }

        _driver.RunOrPost(_driver);
        return true;
    }

    /// <summary>Waits for the next datagram; returns its length.</summary>
    /// <exception cref="ArgumentException">The datagram does not fit; it stays to be received.</exception>
    /// <exception cref="CarrierException">The session is over and nothing is left.</exception>
    public async ValueTask<int> ReceiveDatagramAsync(Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            // Read first: what came before the end is still taken.
            CarrierException? end = _end;
            if (_driver.Incoming.TryTake(destination.Span, out int bytes, out bool isMore))
            {
                if (isMore)
                {
                    OnDatagrams();
                }

                return bytes;
            }

            if (isMore)
            {
                OnDatagrams();
                throw new ArgumentException($"The datagram has {bytes} bytes, the destination {destination.Length}.", nameof(destination));
            }

            if (end is not null)
            {
                OnDatagrams();
                throw new CarrierException(end.Error, end.Message, end.Code);
            }

            await Datagrams.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the session. With code 0 the peer first gets what was written to streams whose output was completed, for a few seconds at most; with any
    /// other code the end is at once. Codes from 2^32 up are Carrier's own.</summary>
    public async Task CloseAsync(ulong code = 0, string reason = "")
    {
        ArgumentNullException.ThrowIfNull(reason);
        if (_end is not null)
        {
            return;
        }

        if (code == 0)
        {
            _driver.RunOrPost(new NetworkCall<bool>(now =>
            {
                _driver.CloseWhenDelivered(now, code, reason);
                return true;
            }));
            try
            {
                await EndedAsync().WaitAsync(Linger).ConfigureAwait(false);
                return;
            }
            catch (TimeoutException)
            {
                // The peer does not take it: the end comes without it.
            }
        }

        _driver.RunOrPost(new NetworkCall<bool>(now =>
        {
            _driver.Close(now, code, reason);
            return true;
        }));
        await EndedAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync() => await CloseAsync().ConfigureAwait(false);

    internal void OnStreamOpened(CarrierStream stream)
    {
        lock (_opened)
        {
            while (_accepts is [{ } accept, ..])
            {
                _accepts.RemoveAt(0);
                if (accept.TrySucceed(stream))
                {
                    return;
                }
            }

            if (_opened.Count < MaxUnaccepted)
            {
                _opened.Enqueue(stream);
                return;
            }
        }

        stream.Abort(0);
    }

    internal void OnDatagrams()
    {
        // A signal, not a count: whoever takes one and sees more passes it on.
        if (Datagrams.CurrentCount == 0)
        {
            _ = Datagrams.Release();
        }
    }

    internal void OnPathChanged(PathStatus path)
    {
        _path = path;
        if (PathChanged is { } changed)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static call => call.session.Raise(call.changed, call.path), (session: this, changed, path), preferLocal: false);
        }
    }

    internal void OnClosed(CarrierException reason)
    {
        lock (_opened)
        {
            _end = reason;
            _accepts?.ForEach(static accept => accept.TrySucceed(null));
            _accepts = null;
            _ = _ended?.TrySucceed(true);
        }

        OnDatagrams();
        _ = _closed.TrySetResult();
    }

    // Nothing is made to be awaited, and no thread woken for it, where the end has come already.
    private Task EndedAsync()
    {
        lock (_opened)
        {
            return _end is not null ? Task.CompletedTask : (_ended ??= _driver.NewAwaited<bool>()).Task;
        }
    }

    private void CancelAccept(Awaited<CarrierStream?> accept, CancellationToken cancellationToken)
    {
        lock (_opened)
        {
            _ = _accepts?.Remove(accept);
        }

        _ = accept.TryCancel(cancellationToken);
    }

    // The application's code on a thread of the pool: what it throws would end the process, and keep the news from the other subscribers.
    private void Raise(EventHandler<PathStatus> changed, PathStatus path)
    {
        foreach (EventHandler<PathStatus> subscriber in Delegate.EnumerateInvocationList(changed))
        {
            try
            {
                subscriber(this, path);
            }
#pragma warning disable CA1031 // the edge of the shell: whatever it throws is the subscriber's own
            catch (Exception e)
#pragma warning restore CA1031
            {
                _driver.LogSubscriberFailed(e);
            }
        }
    }
}
