using Carrier.Net;
using Carrier.Streams;

namespace Carrier.Driving;

/// <summary>What the application awaits of the network thread: decided on any thread, completed where the application wakes up, so that what follows the await
/// never runs within a turn of the network thread and seldom wakes the thread pool.</summary>
internal sealed class Awaited<T>(NodeThread thread) : Continuation
{
    // Its continuations run in Execute, which is already where they belong.
    private readonly TaskCompletionSource<T> _source = new();
    private int _isDecided;

    // The thread within RunOrPost: as long as it is there, nothing can have been awaited.
    private volatile int _asking;
    private T? _result;
    private CarrierException? _exception;
    private CancellationToken _cancelled;

    public Task<T> Task => _source.Task;

    /// <summary>How it ends is known, though the task may not have completed yet.</summary>
    public bool IsDecided => Volatile.Read(ref _isDecided) != 0;

    /// <summary>Has the work run that decides this, before anybody awaits it: decided here and now it is complete at once, without waking another thread.</summary>
    public Task<T> RunOrPost(NetworkWork work)
    {
        _asking = Environment.CurrentManagedThreadId;
        thread.RunOrPost(work);
        _asking = 0;
        return Task;
    }

    /// <summary>False when something else was decided first. Any thread, as the two below.</summary>
    public bool TrySucceed(T result) => TryDecide(result, null, default);

    public bool TryFail(CarrierException reason) => TryDecide(default, reason, default);

    public bool TryCancel(CancellationToken cancellationToken) => TryDecide(default, null, cancellationToken);

    public override void Execute()
    {
        if (_exception is { } exception)
        {
            _source.SetException(exception);
        }
        else if (_cancelled.IsCancellationRequested)
        {
            _source.SetCanceled(_cancelled);
        }
        else
        {
            _source.SetResult(_result!);
        }
    }

    private bool TryDecide(T? result, CarrierException? exception, CancellationToken cancelled)
    {
        if (Interlocked.Exchange(ref _isDecided, 1) != 0)
        {
            return false;
        }

        (_result, _exception, _cancelled) = (result, exception, cancelled);
        if (_asking == Environment.CurrentManagedThreadId)
        {
            Execute();
        }
        else
        {
            thread.Wake(this);
        }

        return true;
    }
}
