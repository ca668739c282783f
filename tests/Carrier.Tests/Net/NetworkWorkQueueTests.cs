using Carrier.Core;
using Carrier.Net;

namespace Carrier.Tests.Net;

public sealed class NetworkWorkQueueTests
{
    [Fact]
    public void Run_runs_oldest_first_and_each_item_once()
    {
        NetworkWorkQueue queue = new();
        List<int> ran = [];
        RecordingWork[] items = [.. Enumerable.Range(0, 5).Select(i => new RecordingWork(() => ran.Add(i)))];
        foreach (RecordingWork item in items)
        {
            queue.Push(item);
            queue.Push(item);
        }

        queue.Run(Instant.Zero);
        queue.Run(Instant.Zero);

        Assert.Equal([0, 1, 2, 3, 4], ran);
        Assert.True(queue.IsEmpty);
    }

    [Fact]
    public void Run_leaves_what_the_work_posts_for_the_next_call()
    {
        NetworkWorkQueue queue = new();
        int runs = 0;
        RecordingWork item = null!;
        item = new RecordingWork(() =>
        {
            runs++;
            queue.Push(item);
        });
        queue.Push(item);

        queue.Run(Instant.Zero);
        Assert.Equal(1, runs);
        Assert.False(queue.IsEmpty);
        queue.Run(Instant.Zero);
        Assert.Equal(2, runs);
    }

    [Fact]
    public void Close_abandons_what_is_queued_and_what_comes_later()
    {
        NetworkWorkQueue queue = new();
        RecordingWork queued = new(() => Assert.Fail("ran"));
        RecordingWork late = new(() => Assert.Fail("ran"));
        queue.Push(queued);

        queue.Close();
        queue.Push(late);
        queue.Push(late);
        queue.Close();

        Assert.Equal((1, 2), (queued.Abandoned, late.Abandoned));
    }

    [Fact]
    public async Task Push_from_many_threads_loses_no_item_and_no_last_signal()
    {
        const int threads = 4;
        const int posts = 20_000;
        NetworkWorkQueue queue = new();
        int[] written = new int[threads];
        int[] seen = new int[threads];
        RecordingWork[] items = [.. Enumerable.Range(0, threads).Select(i => new RecordingWork(() => seen[i] = Volatile.Read(ref written[i])))];
        Task[] writers = [.. Enumerable.Range(0, threads).Select(i => Task.Run(() =>
        {
            for (int n = 1; n <= posts; n++)
            {
                Volatile.Write(ref written[i], n);
                queue.Push(items[i]);
            }
        }))];

        Task all = Task.WhenAll(writers);
        while (!all.IsCompleted)
        {
            queue.Run(Instant.Zero);
            await Task.Yield();
        }

        await all;
        queue.Run(Instant.Zero);
        Assert.All(seen, n => Assert.Equal(posts, n));
    }
}

internal sealed class RecordingWork(Action run) : NetworkWork
{
    public int Abandoned { get; private set; }

    protected internal override void Run(Instant now) => run();

    protected internal override void Abandon() => Abandoned++;
}
