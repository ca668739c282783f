namespace Carrier.Streams;

/// <summary>What became ready and waits for the end of a turn. Any thread, without a lock.</summary>
internal sealed class NotedContinuations
{
    private Continuation? _newest;

    public bool IsEmpty => Volatile.Read(ref _newest) is null;

    /// <summary>Notes one, which must not be noted again before it runs.</summary>
    public void Add(Continuation continuation)
    {
        Continuation? newest = Volatile.Read(ref _newest);
        while (true)
        {
            continuation.Next = newest;
            Continuation? seen = Interlocked.CompareExchange(ref _newest, continuation, newest);
            if (seen == newest)
            {
                return;
            }

            newest = seen;
        }
    }

    /// <summary>Takes all of them, the oldest first; empty where another thread was sooner.</summary>
    public ContinuationList TakeAll()
    {
        Continuation? last = Interlocked.Exchange(ref _newest, null);
        Continuation? first = null;
        for (Continuation? next = last; next is not null;)
        {
            (next.Next, first, next) = (first, next, next.Next);
        }

        return new ContinuationList(first, last);
    }
}
