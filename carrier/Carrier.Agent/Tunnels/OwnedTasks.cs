namespace Carrier.Agent.Tunnels;

/// <summary>Tasks begun on behalf of somebody who waits for all of them at the end. How many there may be is its user's to bound.</summary>
internal sealed class OwnedTasks
{
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _running = [];

    /// <summary>Begins <paramref name="work"/> on the thread pool.</summary>
    public void Begin(Func<Task> work)
    {
        lock (_gate)
        {
            Task task = Task.Run(work);
            _running.Add(task);
            _ = task.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    /// <summary>Waits for all that have begun; throws what the first of them threw.</summary>
    public Task WhenEndedAsync()
    {
        lock (_gate)
        {
            return Task.WhenAll(_running);
        }
    }

    private void Forget(Task task)
    {
        // One that failed stays, to be seen by who waits.
        if (task.IsFaulted)
        {
            return;
        }

        lock (_gate)
        {
            _running.Remove(task);
        }
    }
}
