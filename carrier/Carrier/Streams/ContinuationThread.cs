using Carrier.Core;
using Carrier.Net;

namespace Carrier.Streams;

/// <summary>
/// Where a node's application wakes up. A turn of the network thread gathers what became ready; after it, all of it runs in order: at once, where the caller
/// can do it (<see cref="TryRunHere"/>), else on a thread of its own that sleeps without spinning, so that waking it costs one system call however much there is to run.
/// </summary>
/// <remarks>
/// The pool alone would do; but its idle workers spin before they sleep, which on one core takes the time from the network thread. It gets what would have to
/// wait: everything but the first while the application's continuations run long, and all of it when one holds whoever runs them.
/// </remarks>
internal sealed class ContinuationThread : IDisposable
{
    /// <summary>Up to this much, on average, a continuation costs less than waking another thread for it.</summary>
    private static readonly TimeSpan ShortRun = TimeSpan.FromMicroseconds(50);

    /// <summary>From this much on, on average, continuations gain more by running beside each other than they lose by the pool.</summary>
    private static readonly TimeSpan LongRun = TimeSpan.FromMicroseconds(100);

    /// <summary>How long a continuation may hold the others before they go past it. It may be waiting for one of them.</summary>
    private static readonly TimeSpan Hold = TimeSpan.FromMilliseconds(10);

    private readonly NotedContinuations _noted = new();
    private readonly SpinBudget _spin;
    private readonly Lock _lock = new();

    // Guarded by the lock, like all that follows but the mark of sleep.
    private ContinuationList _due;
    private ThreadSignal? _signal;
    private bool _isRunning;
    private bool _isStopping;
    private bool _hasEnded;
    private long _begun;
    private long _begunWhenLooked;
    private long _lookAtNanoseconds = Instant.Never.Nanoseconds;
    private long _meanTicks;

    // Whether the thread, and not a caller, is to run what is due, or to end.
    private bool _isCalled;
    private int _isAsleep;

    /// <param name="spinBeforeBlocking">How long the thread looks for work before it sleeps, while that has paid; zero is off.</param>
    public ContinuationThread(TimeSpan spinBeforeBlocking) => _spin = new SpinBudget(spinBeforeBlocking);

    /// <summary>When <see cref="Look"/> is to be called, or <see cref="Instant.Never"/>. A timer of the runtime's would wake a worker of the pool each time.</summary>
    public Instant LookAt => new(Volatile.Read(ref _lookAtNanoseconds));

    /// <summary>Whether anything is noted that nobody was told to run.</summary>
    public bool HasNoted => !_noted.IsEmpty;

    /// <summary>Whether what is noted will likely be over sooner than another thread would have begun with it.</summary>
    public bool IsRunShort => Volatile.Read(ref _meanTicks) <= ShortRun.Ticks;

    /// <summary>Notes what became ready. It must not be noted again before it runs. Any thread.</summary>
    public void Add(Continuation continuation) => _noted.Add(continuation);

    /// <summary>Has everything noted run, elsewhere. Any thread.</summary>
    /// <returns>Whether <see cref="LookAt"/> is an instant where it was never before.</returns>
    public bool Flush()
    {
        ContinuationList ready = _noted.IsEmpty ? default : _noted.TakeAll();
        if (ready.IsEmpty)
        {
            return false;
        }

        bool isWatched = false;
        lock (_lock)
        {
            if (!_hasEnded && !(_isRunning && IsRunLong))
            {
                Continuation? sole = IsRunLong ? ready.Take() : null;
                _due.Append(sole is null ? ready : new ContinuationList(sole, sole));
                ready = sole is null ? default : ready;
                isWatched = (_isRunning || _due.HasSeveral) && TryWatch();
                if (!_isRunning)
                {
                    _isRunning = true;
                    Call();
                }
            }
        }

        WakeIfAsleep();
        ready.RunOnPool();
        return isWatched;
    }

    /// <summary>
    /// Runs everything noted here and now, and what is noted meanwhile. False where others run some at this moment, or all is over: then
    /// <see cref="Flush"/> is to see to it. For a thread that is missed neither by the application nor, for a moment, by anybody else.
    /// </summary>
    public bool TryRunHere()
    {
        lock (_lock)
        {
            if (_isRunning || _isStopping)
            {
                return false;
            }

            _due.Append(_noted.TakeAll());
            _isRunning = true;
            _ = _due.HasSeveral && TryWatch(); // the caller sees it when it is back, and whoever takes its place before
        }

        RunDue();
        return true;
    }

    /// <summary>Sees to it that what is due does not wait for a continuation that holds the others: from the second look on that finds it still running.</summary>
    public void Look(Instant now)
    {
        ContinuationList held = default;
        lock (_lock)
        {
            if (LookAt > now)
            {
                return;
            }

            Instant next = now + Hold;
            if (_begun == _begunWhenLooked)
            {
                held = _due;
                _due = default;
                next = held.IsEmpty ? Instant.Never : next;
            }

            LookNextAt(next);

            _begunWhenLooked = _begun;
        }

        held.RunOnPool();
    }

    /// <summary>Lets the thread end after what it runs; what is due, and what comes later, runs on the thread pool.</summary>
    public void Dispose()
    {
        ContinuationList left = default;
        lock (_lock)
        {
            _isStopping = true;
            (left, _due) = (_due, left); // nobody looks any more whether the one before holds them
            if (_signal is null)
            {
                End();
            }
            else
            {
                _isCalled = true;
            }
        }

        WakeIfAsleep();
        left.RunOnPool();
    }

    private bool IsRunLong => Environment.ProcessorCount > 1 && _meanTicks > LongRun.Ticks;

    private void Call()
    {
        _isCalled = true;
        if (_signal is null)
        {
            _signal = ThreadSignal.Create();
            new Thread(Run) { Name = "carrier-app", IsBackground = true }.UnsafeStart();
        }
    }

    private void Run()
    {
        ThreadSignal signal = _signal!;
        bool hasEnded;
        do
        {
            Sleep(signal);
            RunDue();
            lock (_lock)
            {
                hasEnded = _isStopping && _due.IsEmpty;
                if (hasEnded)
                {
                    End();
                }
            }
        }
        while (!hasEnded);

        signal.Dispose();
    }

    private void RunDue()
    {
        while (TryTake(out Continuation? continuation))
        {
            Instant start = MonotonicClock.Now;
            continuation!.Execute();
            long ticks = (MonotonicClock.Now - start).Ticks;
            _meanTicks += (ticks - _meanTicks) / 8;
        }
    }

    private bool TryTake(out Continuation? continuation)
    {
        lock (_lock)
        {
            continuation = _due.Take();
            if (continuation is null)
            {
                _isRunning = false;
                _isCalled = _isStopping;
                return false;
            }

            _begun++;
            return true;
        }
    }

    private void End()
    {
        _hasEnded = true;
        LookNextAt(Instant.Never);
    }

    private bool TryWatch()
    {
        if (LookAt != Instant.Never || _isStopping)
        {
            return false;
        }

        LookNextAt(MonotonicClock.Now + Hold);
        _begunWhenLooked = _begun - 1;
        return true;
    }

    private void LookNextAt(Instant at) => Volatile.Write(ref _lookAtNanoseconds, at.Nanoseconds);

    /// <summary>Returns when there is something to run, or the end.</summary>
    private void Sleep(ThreadSignal signal)
    {
        Instant start = MonotonicClock.Now;
        if (_spin.IsWorthwhile)
        {
            Instant until = start + _spin.Limit;
            while (!Volatile.Read(ref _isCalled) && MonotonicClock.Now < until)
            {
                _ = Thread.Yield(); // the network thread may share this core
            }
        }

        while (!Volatile.Read(ref _isCalled))
        {
            // Marked anew each time: a late signal for what was found without one takes the mark away.
            _ = Interlocked.Exchange(ref _isAsleep, 1);
            if (!Volatile.Read(ref _isCalled))
            {
                signal.Wait();
            }
        }

        Volatile.Write(ref _isAsleep, 0);

        _spin.Learn(MonotonicClock.Now - start);
    }

    private void WakeIfAsleep()
    {
        if (Volatile.Read(ref _isCalled) && Interlocked.Exchange(ref _isAsleep, 0) != 0)
        {
            _signal!.Set();
        }
    }
}
