using System.IO.Pipelines;

namespace Carrier.Streams;

/// <summary>Runs a pipe's continuations on the thread pool without an allocation each. One for each waiting side of a pipe, which waits at most once at a time.</summary>
internal sealed class ReusedWorkScheduler : PipeScheduler, IThreadPoolWorkItem
{
    private Action<object?>? _action;
    private object? _state;

    public override void Schedule(Action<object?> action, object? state)
    {
        if (Volatile.Read(ref _action) is not null)
        {
            System.Threading.ThreadPool.UnsafeQueueUserWorkItem(action, state, preferLocal: false);
            return;
        }

        _state = state;
        Volatile.Write(ref _action, action);
        System.Threading.ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        Action<object?> action = _action!;
        object? state = _state;
        _state = null;
        Volatile.Write(ref _action, null);
        action(state);
    }
}
