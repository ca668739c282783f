using Carrier.Core;
using Carrier.Net;

namespace Carrier.Streams;

/// <summary>
/// Where a node's application wakes up. A turn of the network thread gathers what became ready; after it, all of it runs in order on a thread of its own
/// that sleeps without spinning, so that waking it costs one system call however much there is to run.
/// </summary>
/// <remarks>
/// The pool alone would do; but its idle workers spin before they sleep, which on one core takes the time from the network thread. It gets what would have to
/// wait: everything but the first while the application's continuations run long, and all of it when one holds the thread.
/// </remarks>
internal sealed class ContinuationThread : IDisposable
{
    /// <summary>From this much on, on average, continuations gain more by running beside each other than they lose by the pool.</summary>
    private static readonly TimeSpan LongRun = TimeSpan.FromMicroseconds(100);

    /// <summary>How long a continuation may hold the thread before others go past it. It may be waiting for one of them.</summary>
    private static readonly TimeSpan Hold = TimeSpan.FromMilliseconds(10);

    private readonly SpinBudget _spin;
    private readonly Timer _watch;
    private readonly Lock _lock = new();

    // Gathered and not yet flushed, the newest first.
    private Continuation? _newest;

    // Due, in order; guarded by the lock like all that follows but the mark of sleep.
    private Continuation? _first;
    private Continuation? _last;
    private ThreadSignal? _signal;
    private bool _isBusy;
    private bool _isStopping;
    private bool _hasEnded;
    private bool _isWatched;
    private long _begun;
    private long _begunWhenLooked;
    private long _meanTicks;

    private int _isAsleep;

    /// <param name="spinBeforeBlocking">How long the thread looks for work before it sleeps, while that has paid; zero is off.</param>
    public ContinuationThread(TimeSpan spinBeforeBlocking)
    {
        _spin = new SpinBudget(spinBeforeBlocking);
        _watch = new Timer(static thread => ((ContinuationThread)thread!).Look(), this, Timeout.Infinite, Timeout.Infinite);
    }

    /// <summary>Notes what became ready. It must not be noted again before it runs. Any thread.</summary>
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

    /// <summary>Has everything noted run, elsewhere. Any thread.</summary>
    public void Flush()
    {
        if (Volatile.Read(ref _newest) is null)
        {
            return;
        }

        Continuation? last = Interlocked.Exchange(ref _newest, null);
        Continuation? first = Reverse(last);
        if (first is null)
        {
            return;
        }

        Continuation? forPool = null;
        lock (_lock)
        {
            if (_hasEnded || (_isBusy && IsRunLong))
            {
                forPool = first;
            }
            else
            {
                if (IsRunLong)
                {
                    (forPool, first.Next, last) = (first.Next, null, first);
                }

                Append(first, last!);
                if (_isBusy || _first != _last)
                {
                    Watch();
                }

                _isBusy = true;
                Start();
            }
        }

        WakeIfAsleep();
        RunOnPool(forPool);
    }

    /// <summary>Lets the thread end after what is due; what comes later runs on the thread pool.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isStopping = true;
            _isBusy = true;
            if (_signal is null)
            {
                End();
            }
        }

        WakeIfAsleep();
    }

    private bool IsRunLong => Environment.ProcessorCount > 1 && _meanTicks > LongRun.Ticks;

    private static Continuation? Reverse(Continuation? newest)
    {
        Continuation? oldest = null;
        while (newest is not null)
        {
            (newest.Next, oldest, newest) = (oldest, newest, newest.Next);
        }

        return oldest;
    }

    private static void RunOnPool(Continuation? first)
    {
        while (first is not null)
        {
            Continuation? next = first.Next;
            first.Next = null;
            ThreadPool.UnsafeQueueUserWorkItem(first, preferLocal: false);
            first = next;
        }
    }

    private void Append(Continuation first, Continuation last)
    {
        if (_last is null)
        {
            _first = first;
        }
        else
        {
            _last.Next = first;
        }

        _last = last;
    }

    private Continuation? TakeAll()
    {
        Continuation? first = _first;
        _first = null;
        _last = null;
        return first;
    }

    private void Start()
    {
        if (_signal is null)
        {
            _signal = ThreadSignal.Create();
            new Thread(Run) { Name = "carrier-app", IsBackground = true }.UnsafeStart();
        }
    }

    private void Run()
    {
        ThreadSignal signal = _signal!;
        while (true)
        {
            Sleep(signal);
            while (TryTake(out Continuation? continuation))
            {
                Instant start = MonotonicClock.Now;
                continuation!.Execute();
                long ticks = (MonotonicClock.Now - start).Ticks;
                _meanTicks += (ticks - _meanTicks) / 8;
            }

            lock (_lock)
            {
                if (_isStopping && _first is null)
                {
                    End();
                    break;
                }
            }
        }

        signal.Dispose();
    }

    private bool TryTake(out Continuation? continuation)
    {
        lock (_lock)
        {
            continuation = _first;
            if (continuation is null)
            {
                _isBusy = _isStopping;
                return false;
            }

            _first = continuation.Next;
            _last = _first is null ? null : _last;
            continuation.Next = null;
            _begun++;
            return true;
        }
    }

    private void End()
    {
        _hasEnded = true;
        _watch.Dispose();
    }

    /// <summary>Sees to it that what is due does not wait for a continuation that holds the thread.</summary>
    private void Watch()
    {
        if (!_isWatched)
        {
            _isWatched = true;
            _begunWhenLooked = _begun - 1;
            _ = _watch.Change(Hold, Hold);
        }
    }

    private void Look()
    {
        Continuation? forPool = null;
        lock (_lock)
        {
            if (_hasEnded)
            {
                return;
            }

            if (_begun == _begunWhenLooked)
            {
                forPool = TakeAll();
                if (forPool is null)
                {
                    _isWatched = false;
                    _ = _watch.Change(Timeout.Infinite, Timeout.Infinite);
                }
            }

            _begunWhenLooked = _begun;
        }

        RunOnPool(forPool);
    }

    /// <summary>Returns when there is something to run, or the end.</summary>
    private void Sleep(ThreadSignal signal)
    {
        Instant start = MonotonicClock.Now;
        if (_spin.IsWorthwhile)
        {
            Instant until = start + _spin.Limit;
            while (!Volatile.Read(ref _isBusy) && MonotonicClock.Now < until)
            {
                _ = Thread.Yield(); // the network thread may share this core
            }
        }

        while (!Volatile.Read(ref _isBusy))
        {
            // Marked anew each time: a late signal for what was found without one takes the mark away.
            _ = Interlocked.Exchange(ref _isAsleep, 1);
            if (!Volatile.Read(ref _isBusy))
            {
                signal.Wait();
            }
        }

        Volatile.Write(ref _isAsleep, 0);

        _spin.Learn(MonotonicClock.Now - start);
    }

    private void WakeIfAsleep()
    {
        if (Interlocked.Exchange(ref _isAsleep, 0) != 0)
        {
            _signal!.Set();
        }
    }

    /// <summary>Something to run, listed without an allocation.</summary>
    internal abstract class Continuation : IThreadPoolWorkItem
    {
        /// <summary>For the list it is on.</summary>
        internal Continuation? Next { get; set; }

        public abstract void Execute();
    }
}
