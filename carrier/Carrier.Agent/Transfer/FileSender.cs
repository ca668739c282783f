using System.IO.Pipelines;

namespace Carrier.Agent.Transfer;

/// <summary>Sends one transfer over one stream.</summary>
/// <remarks>Whatever the peer does, a call ends in an outcome. Entries go out one behind the other without waiting for the verdict on any.</remarks>
internal sealed class FileSender(TransferSource source, TimeProvider time)
{
    /// <summary>How long the receiver's last word is waited for after it stopped reading.</summary>
    private static readonly TimeSpan LastWordTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Told of every chunk, on the sending task: it must be quick.</summary>
    public Action<TransferProgress>? Progress { get; init; }

    /// <summary>Sends over <paramref name="pipe"/> and completes both its ends, the output with an error if the transfer broke.</summary>
    public async Task<SendOutcome> RunAsync(IDuplexPipe pipe, CancellationToken cancellationToken)
    {
        using var stall = new CancellationTokenSource(TransferLimits.StallTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, cancellationToken);
        var wire = new TransferPipe(pipe);
        var replies = new ReceiverReplies(wire, source.Offer, time, stall);
        var data = new EntrySender(wire, source, stall) { Progress = Progress };

        Task reading = replies.RunAsync(linked.Token);
        Task writing = WriteAsync(wire, replies, data, linked.Token);
        if (await Task.WhenAny(reading, writing).ConfigureAwait(false) == writing && ReasonOf(writing) == FailureReason.Interrupted)
        {
            // It may have stopped reading because it had something to say.
            await Task.WhenAny(reading, Task.Delay(LastWordTimeout, time, linked.Token)).ConfigureAwait(false);
        }

        if (!reading.IsCompletedSuccessfully || !writing.IsCompletedSuccessfully)
        {
            if (reading.IsFaulted || writing.IsFaulted || reading.IsCanceled || writing.IsCanceled)
            {
                await linked.CancelAsync().ConfigureAwait(false);
            }

            await Task.WhenAll(reading, writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        FailureReason failure = Reason(reading, writing, cancellationToken.IsCancellationRequested);
        bool isOver = failure == FailureReason.None;
        await pipe.Output.CompleteAsync(isOver ? null : new TransferException(failure)).ConfigureAwait(false);
        await pipe.Input.CompleteAsync().ConfigureAwait(false);
        return new SendOutcome
        {
            Refusal = replies.Refusal,
            Failure = replies.Refusal is null ? failure : FailureReason.None,
            Digests = data.Digests,
            BytesSent = data.BytesSent,
            BytesResumed = data.BytesResumed,
            FirstByteAt = replies.FirstByteAt,
        };
    }

    private async Task WriteAsync(TransferPipe wire, ReceiverReplies replies, EntrySender data, CancellationToken cancellationToken)
    {
        byte[] offer = source.Offer.Encode() ?? throw new ArgumentException("The offer outgrew its bound.");
        await wire.WriteAsync(offer, cancellationToken).ConfigureAwait(false);
        Acceptance? acceptance = await replies.Acceptance.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (acceptance is null)
        {
            return; // refused
        }

        for (int entry = 0; entry < source.Offer.Entries.Count; entry++)
        {
            if (acceptance.Whole.Contains(entry))
            {
                await data.SkipAsync(entry, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await data.SendAsync(entry, acceptance.Partial.GetValueOrDefault(entry), cancellationToken).ConfigureAwait(false);
            }
        }

        await foreach (int entry in replies.Again.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!source.IsRepeatable)
            {
                throw new TransferException(FailureReason.Mismatch);
            }

            await data.SendAsync(entry, 0, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The reason worth telling: what the receiver said, before what our own side met because of it.</summary>
    private static FailureReason Reason(Task reading, Task writing, bool cancelled)
    {
        FailureReason theirs = ReasonOf(reading);
        FailureReason ours = ReasonOf(writing);
        if (theirs is FailureReason.None && ours is FailureReason.None)
        {
            return FailureReason.None;
        }

        if (cancelled)
        {
            return FailureReason.Cancelled;
        }

        FailureReason[] byWorth = [theirs, ours];
        return byWorth.FirstOrDefault(r => r is not (FailureReason.None or FailureReason.Interrupted or FailureReason.Stalled), FailureReason.None) is var said
            && said != FailureReason.None ? said
            : byWorth.Contains(FailureReason.Interrupted) ? FailureReason.Interrupted
            : FailureReason.Stalled;
    }

    private static FailureReason ReasonOf(Task task) => task switch
    {
        { IsCanceled: true } => FailureReason.Stalled,
        { Exception.InnerException: TransferException e } => e.Reason,
        { Exception.InnerException: { } fault } => throw new InvalidOperationException("A transfer met a fault of ours.", fault),
        _ => FailureReason.None,
    };
}
