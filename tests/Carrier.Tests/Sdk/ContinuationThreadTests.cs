using Carrier.Streams;

namespace Carrier.Tests.Sdk;

public sealed class ContinuationThreadTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Flush_runs_what_was_added_on_a_thread_of_its_own()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        for (int i = 0; i < 1_000; i++)
        {
            Recorded continuation = new();
            thread.Add(continuation);
            Assert.False(continuation.Ran.IsCompleted, "not before the flush");
            thread.Flush();
            Assert.NotEqual(Environment.CurrentManagedThreadId, await continuation.Ran.WaitAsync(Patience, Cancellation));
        }

        thread.Dispose();
    }

    [Fact]
    public async Task Flush_leaves_to_the_pool_what_comes_while_the_application_holds_the_thread()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        using ManualResetEventSlim release = new();
        Recorded first = new(release);
        Recorded[] others = [new(), new()];
        thread.Add(first);
        thread.Add(others[0]);
        thread.Flush();
        thread.Add(others[1]);
        thread.Flush();

        _ = await others[0].Ran.WaitAsync(Patience, Cancellation);
        _ = await others[1].Ran.WaitAsync(Patience, Cancellation);
        Assert.False(first.Ran.IsCompleted);
        release.Set();
        _ = await first.Ran.WaitAsync(Patience, Cancellation);
        thread.Dispose();
    }

    [Fact]
    public async Task Flush_after_the_end_still_runs_everything()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        Recorded[] continuations = [new(), new(), new()];
        thread.Add(continuations[0]);
        thread.Flush();
        thread.Dispose();
        thread.Add(continuations[1]);
        thread.Add(continuations[2]);
        thread.Flush();

        foreach (Recorded continuation in continuations)
        {
            _ = await continuation.Ran.WaitAsync(Patience, Cancellation);
        }
    }

    /// <summary>Tells on which thread it ran, after waiting for a release if there is one.</summary>
    private sealed class Recorded(ManualResetEventSlim? release = null) : ContinuationThread.Continuation
    {
        private readonly TaskCompletionSource<int> _ran = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<int> Ran => _ran.Task;

        public override void Execute()
        {
            release?.Wait(Patience);
            _ran.SetResult(Environment.CurrentManagedThreadId);
        }
    }
}
