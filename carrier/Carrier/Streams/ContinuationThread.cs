using Carrier.Core;
using Carrier.Net;

namespace Carrier.Streams;

/// <summary>
/// Where a node's application wakes up. A turn of the network thread gathers what became ready; after it, the first continuation runs on a thread of its own
/// that sleeps without spinning, so that waking it costs one system call. What becomes ready while that thread runs the application goes to the thread pool.
/// </summary>
/// <remarks>The pool alone would do; but its idle workers spin before they sleep, which on one core takes the time from the network thread.</remarks>
/// <param name="spinBeforeBlocking">How long the thread looks for work before it sleeps, while that has paid; zero is off.</param>
internal sealed class ContinuationThread(TimeSpan spinBeforeBlocking)
{
    private static readonly Continuation Ended = new EndMark();

    private readonly SpinBudget _spin = new(spinBeforeBlocking);
    private Continuation? _newest;
    private ThreadSignal? _signal;

    // What the thread runs, Ended, or null while it sleeps.
    private Continuation? _running;
    private int _isAsleep;
    private volatile bool _isStopping;

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

        Continuation? oldest = null;
        Continuation? rest = Interlocked.Exchange(ref _newest, null);
        while (rest is not null)
        {
            (rest.Next, oldest, rest) = (oldest, rest, rest.Next);
        }

        while (oldest is not null)
        {
            Continuation? next = oldest.Next;
            oldest.Next = null;
            Start(oldest);
            oldest = next;
        }
    }

    /// <summary>Lets the thread end; what comes later runs on the thread pool.</summary>
    public void Stop()
    {
        _isStopping = true;
        if (TryEnd())
        {
            WakeIfAsleep();
        }
    }

    private void Start(Continuation continuation)
    {
        if (Interlocked.CompareExchange(ref _running, continuation, null) is not null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(continuation, preferLocal: false);
            return;
        }

        if (_signal is null)
        {
            _signal = ThreadSignal.Create();
            new Thread(Run) { Name = "carrier-app", IsBackground = true }.UnsafeStart();
        }

        WakeIfAsleep();
    }

    private void Run()
    {
        ThreadSignal signal = _signal!;
        do
        {
            Sleep(signal);
            if (_running == Ended)
            {
                break;
            }

            _running!.Execute();
            Volatile.Write(ref _running, null);
        }
        while (!_isStopping || !TryEnd());
        signal.Dispose();
    }

    /// <summary>Returns when there is something to run.</summary>
    private void Sleep(ThreadSignal signal)
    {
        Instant start = MonotonicClock.Now;
        if (_spin.IsWorthwhile)
        {
            Instant until = start + _spin.Limit;
            while (Volatile.Read(ref _running) is null && MonotonicClock.Now < until)
            {
                _ = Thread.Yield(); // the network thread may share this core
            }
        }

        while (Volatile.Read(ref _running) is null)
        {
            // Marked anew each time: a late signal for what was found without one takes the mark away.
            _ = Interlocked.Exchange(ref _isAsleep, 1);
            if (Volatile.Read(ref _running) is null)
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

    private bool TryEnd() => Interlocked.CompareExchange(ref _running, Ended, null) is null;

    /// <summary>Something to run, listed without an allocation.</summary>
    internal abstract class Continuation : IThreadPoolWorkItem
    {
        public Continuation? Next { get; set; }

        public abstract void Execute();
    }

    private sealed class EndMark : Continuation
    {
        public override void Execute() => throw new InvalidOperationException("The mark of an ended thread is never run.");
    }
}
