using Carrier.Streams;

namespace Carrier.Driving;

/// <summary>What the application awaits of the network thread: decided on any thread, completed where the application wakes up, so that what follows the await
/// never runs on the network thread and seldom wakes the thread pool.</summary>
internal sealed class Awaited<T>(NodeThread thread) : ContinuationThread.Continuation
{
    // Its continuations run in Execute, which is already where they belong.
    private readonly TaskCompletionSource<T> _source = new();
    private int _isDecided;
    private T? _result;
    private CarrierException? _exception;
    private CancellationToken _cancelled;

    public Task<T> Task => _source.Task;

    /// <summary>How it ends is known, though the task may not have completed yet.</summary>
    public bool IsDecided => Volatile.Read(ref _isDecided) != 0;

    /// <summary>False when something else was decided first. Any thread, as the two below.</summary>
    public bool TrySucceed(T result)
    {
        if (!TryDecide())
        {
            return false;
        }

        _result = result;
        thread.Wake(this);
        return true;
    }

    public bool TryFail(CarrierException reason)
    {
        if (!TryDecide())
        {
            return false;
        }

        _exception = reason;
        thread.Wake(this);
        return true;
    }

    public bool TryCancel(CancellationToken cancellationToken)
    {
        if (!TryDecide())
        {
            return false;
        }

        _cancelled = cancellationToken;
        thread.Wake(this);
        return true;
    }

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

    private bool TryDecide() => Interlocked.Exchange(ref _isDecided, 1) == 0;
}
