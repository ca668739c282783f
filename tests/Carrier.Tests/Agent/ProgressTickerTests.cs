using System.Threading.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.Service;
using Carrier.Agent.Transfer;

namespace Carrier.Tests.Agent;

public sealed class ProgressTickerTests
{
    private readonly Conversation _conversation = new();
    private readonly StoppedTime _time = new();

    [Fact]
    public async Task Without_progress_no_timer_runs_and_nothing_is_said()
    {
        await using (ProgressTicker ticker = new(_conversation, _time))
        {
            Assert.Equal(0, _time.Timers);
        }

        Assert.Equal(0, _time.Timers);
        Assert.False(_conversation.Said.Reader.TryRead(out _));
    }

    [Fact]
    public async Task Progress_is_said_at_once_and_between_ticks_only_the_latest_is_kept()
    {
        await using (ProgressTicker ticker = new(_conversation, _time))
        {
            ticker.Report(new TransferProgress(1, 9, "a"));
            Assert.Equal(1, (await NextAsync()).DoneBytes);
            ticker.Report(new TransferProgress(2, 9, "a"));
            ticker.Report(new TransferProgress(3, 9, "a"));
        }

        Assert.Equal(3, (await NextAsync()).DoneBytes);
        Assert.False(_conversation.Said.Reader.TryRead(out _));
    }

    private ValueTask<ProgressReply> NextAsync() => _conversation.Said.Reader.ReadAsync(TestContext.Current.CancellationToken);

    private sealed class Conversation : IConversation
    {
        public Channel<ProgressReply> Said { get; } = Channel.CreateUnbounded<ProgressReply>();

        public Stream Input => Stream.Null;

        public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken) => Said.Writer.WriteAsync((ProgressReply)reply, cancellationToken);

        public ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken) => ValueTask.FromResult(false);
    }

    /// <summary>Timers are counted and never fire.</summary>
    private sealed class StoppedTime : TimeProvider
    {
        private int _timers;

        public int Timers => _timers;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _ = Interlocked.Increment(ref _timers);
            return base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
