namespace Carrier.Streams;

/// <summary>Continuations in the order they are to run in, linked through themselves.</summary>
internal struct ContinuationList(Continuation? first, Continuation? last)
{
    private Continuation? _first = first;
    private Continuation? _last = last;

    public readonly bool IsEmpty => _first is null;

    public readonly bool HasSeveral => _first != _last;

    public void Append(ContinuationList others)
    {
        if (_last is null)
        {
            this = others;
        }
        else if (!others.IsEmpty)
        {
            _last.Next = others._first;
            _last = others._last;
        }
    }

    /// <summary>Takes the first off the list; null when it is empty.</summary>
    public Continuation? Take()
    {
        Continuation? taken = _first;
        if (taken is not null)
        {
            _first = taken.Next;
            _last = _first is null ? null : _last;
            taken.Next = null;
        }

        return taken;
    }

    /// <summary>Hands all of it to the thread pool.</summary>
    public void RunOnPool()
    {
        while (Take() is { } continuation)
        {
            ThreadPool.UnsafeQueueUserWorkItem(continuation, preferLocal: false);
        }
    }
}
