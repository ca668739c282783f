using Carrier.Core;

namespace Carrier.Net;

/// <summary>The lock-free list of posted work: many threads push, the network thread takes all. It holds each item at most once, which bounds it.</summary>
internal sealed class NetworkWorkQueue
{
    private static readonly NetworkWork Closed = new ClosedMark();

    private NetworkWork? _newest;

    public bool IsEmpty => Volatile.Read(ref _newest) is null;

    /// <summary>Queues an item, or leaves it where it is queued already; abandons it when the queue is closed.</summary>
    public void Push(NetworkWork work)
    {
        if (!work.TryMarkQueued())
        {
            return;
        }

        NetworkWork? newest = Volatile.Read(ref _newest);
        while (newest != Closed)
        {
            work.Next = newest;
            NetworkWork? seen = Interlocked.CompareExchange(ref _newest, work, newest);
            if (seen == newest)
            {
                return;
            }

            newest = seen;
        }

        work.Next = null;
        work.MarkTaken();
        work.Abandon();
    }

    /// <summary>Runs everything queued when called, oldest first; what that work posts waits for the next call.</summary>
    public void Run(Instant now)
    {
        NetworkWork? work = OldestFirst(Interlocked.Exchange(ref _newest, null));
        while (work is not null)
        {
            NetworkWork? next = Take(work);
            work.Run(now);
            work = next;
        }
    }

    /// <summary>Abandons what is queued and lets nothing in any more.</summary>
    public void Close()
    {
        NetworkWork? newest = Interlocked.Exchange(ref _newest, Closed);
        NetworkWork? work = newest == Closed ? null : OldestFirst(newest);
        while (work is not null)
        {
            NetworkWork? next = Take(work);
            work.Abandon();
            work = next;
        }
    }

    private static NetworkWork? OldestFirst(NetworkWork? newest)
    {
        NetworkWork? oldest = null;
        while (newest is not null)
        {
            (newest.Next, oldest, newest) = (oldest, newest, newest.Next);
        }

        return oldest;
    }

    private static NetworkWork? Take(NetworkWork work)
    {
        NetworkWork? next = work.Next;
        work.Next = null;
        work.MarkTaken(); // before the run, so that a post made during it is not lost
        return next;
    }

    private sealed class ClosedMark : NetworkWork
    {
        protected internal override void Run(Instant now) => throw new InvalidOperationException("The mark of a closed queue is never run.");
    }
}
