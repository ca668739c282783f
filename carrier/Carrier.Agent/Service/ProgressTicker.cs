using Carrier.Agent.Control;
using Carrier.Agent.Transfer;

namespace Carrier.Agent.Service;

/// <summary>Passes a transfer's progress on a few times a second, so that neither the data nor a slow terminal waits for the other.</summary>
internal sealed class ProgressTicker : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly IConversation _conversation;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _ticking;
    private readonly Lock _gate = new();
    private TransferProgress? _latest;

    public ProgressTicker(IConversation conversation, TimeProvider time)
    {
        _conversation = conversation;
        _ticking = TickAsync(time);
    }

    /// <summary>Notes how far it is; never blocks.</summary>
    public void Report(TransferProgress progress)
    {
        lock (_gate)
        {
            _latest = progress;
        }
    }

    /// <summary>Says the latest once more and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _ticking.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task TickAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                await SayLatestAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            await SayLatestAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask SayLatestAsync()
    {
        TransferProgress? latest;
        lock (_gate)
        {
            latest = _latest;
            _latest = null;
        }

        if (latest is not { } progress)
        {
            return;
        }

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
