using System.Threading.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.Transfer;

namespace Carrier.Agent.Service;

/// <summary>Passes a transfer's progress on a few times a second, so that neither the data nor a slow terminal waits for the other. Asleep while there is none.</summary>
internal sealed class ProgressTicker : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly IConversation _conversation;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<TransferProgress> _latest = Channel.CreateBounded<TransferProgress>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private readonly Task _ticking;

    public ProgressTicker(IConversation conversation, TimeProvider time)
    {
        (_conversation, _time) = (conversation, time);
        _ticking = TickAsync();
    }

    /// <summary>Notes how far it is; never blocks.</summary>
    public void Report(TransferProgress progress) => _latest.Writer.TryWrite(progress);

    /// <summary>Says the latest, if it was not said yet, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        _ = _latest.Writer.TryComplete();
        await _stop.CancelAsync().ConfigureAwait(false);
        await _ticking.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task TickAsync()
    {
        await foreach (TransferProgress progress in _latest.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            await SayAsync(progress).ConfigureAwait(false);
            await Task.Delay(Interval, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask SayAsync(TransferProgress progress)
    {
        try
        {
            await _conversation.SayAsync(new ProgressReply(progress.DoneBytes, progress.TotalBytes, progress.Entry), CancellationToken.None)
                .ConfigureAwait(false);
        }
        catch (IOException)
        {
            // Nobody looks any more; the transfer hears of it by its own token.
        }
    }
}
