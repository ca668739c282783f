using Carrier.Core;
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
        await first.Began.WaitAsync(Patience, Cancellation);
        LookTwice(thread);

        _ = await others[0].Ran.WaitAsync(Patience, Cancellation);
        _ = await others[1].Ran.WaitAsync(Patience, Cancellation);
        Assert.False(first.Ran.IsCompleted);
        release.Set();
        _ = await first.Ran.WaitAsync(Patience, Cancellation);
        thread.Dispose();
    }

    [Fact]
    public async Task TryRunHere_runs_on_the_caller_what_was_noted_before_and_meanwhile()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        Recorded later = new();
        Recorded first = new(then: () =>
        {
            thread.Add(later);
            thread.Flush();
            Assert.False(later.Ran.IsCompleted, "in its turn, not within another");
        });
        thread.Add(first);
        Assert.True(thread.HasNoted);
        int here = Environment.CurrentManagedThreadId;

        Assert.True(thread.TryRunHere());
        Assert.False(thread.HasNoted);
        Assert.True(first.Ran.IsCompleted && later.Ran.IsCompleted);
        Assert.Equal([here, here], await Task.WhenAll(first.Ran, later.Ran));
        thread.Dispose();
    }

    [Fact]
    public async Task TryRunHere_leaves_it_to_whoever_runs_some_already()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        using ManualResetEventSlim release = new();
        Recorded held = new(release);
        Recorded other = new();
        thread.Add(held);
        thread.Flush();
        thread.Add(other);
        Assert.False(thread.TryRunHere());
        Assert.True(thread.HasNoted);
        Assert.True(thread.Flush());
        await held.Began.WaitAsync(Patience, Cancellation);
        LookTwice(thread);

        _ = await other.Ran.WaitAsync(Patience, Cancellation);
        release.Set();
        _ = await held.Ran.WaitAsync(Patience, Cancellation);
        thread.Dispose();
        Assert.False(thread.TryRunHere(), "not after the end");
    }

    [Fact]
    public async Task Dispose_while_a_caller_is_held_runs_what_waits_behind_it()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        using ManualResetEventSlim release = new();
        Recorded held = new(release);
        Recorded behind = new();
        thread.Add(held);
        thread.Add(behind);
        Task<bool> running = Task.Run(thread.TryRunHere, Cancellation);
        await held.Began.WaitAsync(Patience, Cancellation);
        thread.Dispose();

        _ = await behind.Ran.WaitAsync(Patience, Cancellation);
        release.Set();
        Assert.True(await running);
    }

    [Fact]
    public async Task IsRunShort_forgets_a_long_run()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        using ManualResetEventSlim release = new();
        thread.Add(new Recorded(release));
        Task<bool> running = Task.Run(thread.TryRunHere, Cancellation);
        using Timer timer = new(_ => release.Set(), null, TimeSpan.FromMilliseconds(20), Timeout.InfiniteTimeSpan);
        Assert.True(await running);
        Assert.False(thread.IsRunShort);
        for (int i = 0; i < 1_000_000 && !thread.IsRunShort; i++)
        {
            thread.Add(new Recorded());
            Assert.True(thread.TryRunHere());
        }

        Assert.True(thread.IsRunShort);
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

    [Fact]
    public async Task Look_is_due_only_while_something_waits_behind_another()
    {
        ContinuationThread thread = new(TimeSpan.Zero);
        thread.Add(new Recorded());
        Assert.False(thread.Flush(), "alone it holds nobody");
        Assert.Equal(Instant.Never, thread.LookAt);
        Recorded[] two = [new(), new()];
        thread.Add(two[0]);
        thread.Add(two[1]);
        Assert.True(thread.Flush());
        Assert.NotEqual(Instant.Never, thread.LookAt);
        foreach (Recorded each in two)
        {
            _ = await each.Ran.WaitAsync(Patience, Cancellation);
        }

        LookTwice(thread);
        Assert.Equal(Instant.Never, thread.LookAt);
        thread.Dispose();
    }

    // Once to see what runs, once to see that it still does.
    private static void LookTwice(ContinuationThread thread)
    {
        thread.Look(thread.LookAt);
        thread.Look(thread.LookAt);
    }

    /// <summary>Tells on which thread it ran, after waiting for a release and doing something if there is one.</summary>
    private sealed class Recorded(ManualResetEventSlim? release = null, Action? then = null) : Continuation
    {
        private readonly TaskCompletionSource _began = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<int> _ran = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Began => _began.Task;

        public Task<int> Ran => _ran.Task;

        public override void Execute()
        {
            _began.SetResult();
            release?.Wait(Patience);
            then?.Invoke();
            _ran.SetResult(Environment.CurrentManagedThreadId);
        }
    }
}
