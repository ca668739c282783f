namespace Carrier.Agent.Channels;

/// <summary>Tells whoever waits that something changed. Take <see cref="Next"/> before looking, and no change is missed.</summary>
internal sealed class Pulse
{
    private TaskCompletionSource _next = Create();

    public Task Next => Volatile.Read(ref _next).Task;

    public void Beat() => Interlocked.Exchange(ref _next, Create()).TrySetResult();

    /// <summary>Waits until <paramref name="holds"/>, looked at again at every beat; false when <paramref name="patience"/> is over before.</summary>
    public async Task<bool> UntilAsync(Func<bool> holds, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(patience);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        while (true)
        {
            Task next = Next;
            if (holds())
            {
                return true;
            }

            try
            {
                await next.WaitAsync(either.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return holds();
            }
        }
    }

    private static TaskCompletionSource Create() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
