using Carrier.Core;
using Carrier.Net;
using Carrier.Node;

namespace Carrier.Driving;

/// <summary>Something the machine answers later, under the operation number it gave.</summary>
internal abstract class PendingOperation : NetworkWork
{
    /// <summary>The machine's answer, on the network thread.</summary>
    public abstract void Answer(Instant now, in NodeEffect effect);
}

/// <summary>A pending operation whose result is a <typeparamref name="T"/>.</summary>
internal abstract class PendingOperation<T>(NodeThread thread) : PendingOperation
{
    private readonly Awaited<T> _result = new(thread);
    private ulong _operation;

    /// <summary>Begins it, here and now if this thread may, and waits. Cancelling gives the wait up, and with it what the machine had begun.</summary>
    public async Task<T> RunAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        thread.RunOrPost(this);
        await using (cancellationToken.UnsafeRegister(static (state, token) => ((PendingOperation<T>)state!).Cancel(token), this).ConfigureAwait(false))
        {
            return await _result.Task.ConfigureAwait(false);
        }
    }

    protected NodeThread Thread => thread;

    protected NodeMachine Machine => thread.Machine;

    /// <summary>Begins, on the network thread; returns the machine's number.</summary>
    protected abstract ulong Begin(Instant now);

    /// <summary>Gives up what was begun, on the network thread.</summary>
    protected virtual void GiveUp(ulong operation)
    {
    }

    /// <summary>False when nobody waits any more.</summary>
    protected bool TrySucceed(T result) => _result.TrySucceed(result);

    protected void Fail(CarrierException reason) => _result.TryFail(reason);

    protected internal override void Run(Instant now)
    {
        if (!_result.IsDecided)
        {
            // Known before its answer can be drained: that happens later in the same turn.
            _operation = Begin(now);
            thread.Operations.Add(_operation, this);
        }
    }

    protected internal override void Abandon() => Fail(Failures.NodeStopped());

    private void Cancel(CancellationToken cancellationToken)
    {
        if (_result.TryCancel(cancellationToken))
        {
            thread.Post(new NetworkCall<bool>(_ => Forget()));
        }
    }

    private bool Forget()
    {
        bool isPending = thread.Operations.Remove(_operation);
        if (isPending)
        {
            GiveUp(_operation);
        }

        return isPending;
    }
}
