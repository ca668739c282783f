using System.IO.Pipelines;
using Carrier.Driving;

namespace Carrier.Streams;

/// <summary>Runs a pipe's continuations where a node's application wakes up, without an allocation each. One for each waiting side of a pipe, which waits at most once at a time.</summary>
internal sealed class ContinuationScheduler(NodeThread thread) : PipeScheduler
{
    private readonly Pending _pending = new();

    public override void Schedule(Action<object?> action, object? state)
    {
        if (_pending.TrySet(action, state))
        {
            thread.Wake(_pending);
        }
        else
        {
            System.Threading.ThreadPool.UnsafeQueueUserWorkItem(action, state, preferLocal: false);
        }
    }

    private sealed class Pending : Continuation
    {
        private Action<object?>? _action;
        private object? _state;

        public bool TrySet(Action<object?> action, object? state)
        {
            if (Volatile.Read(ref _action) is not null)
            {
                return false;
            }

            _state = state;
            Volatile.Write(ref _action, action);
            return true;
        }

        public override void Execute()
        {
            Action<object?> action = _action!;
            object? state = _state;
            _state = null;
            Volatile.Write(ref _action, null);
            action(state);
        }
    }
}
