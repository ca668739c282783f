using Carrier.Core;

namespace Carrier.Net;

/// <summary>Something another thread asks the network thread to do. Made once and posted again and again: posting allocates nothing.</summary>
/// <remarks>An item that is queued already is not queued twice, so a busy sender's signals join into one run.</remarks>
internal abstract class NetworkWork
{
    private int _isQueued;

    internal NetworkWork? Next { get; set; }

    /// <summary>Does the work, on the network thread. State written before the post is visible; the item may be posted again from here on.</summary>
    protected internal abstract void Run(Instant now);

    /// <summary>Called instead of <see cref="Run"/> when the thread has stopped or stops first: on any thread, perhaps more than once, and must not throw.</summary>
    protected internal virtual void Abandon()
    {
    }

    internal bool TryMarkQueued() => Interlocked.Exchange(ref _isQueued, 1) == 0;

    internal void MarkTaken() => Interlocked.Exchange(ref _isQueued, 0);
}
