using System.Threading.Channels;

namespace Carrier.Agent.Transfer;

/// <summary>Reads what the receiver says while its transfer is being sent.</summary>
internal sealed class ReceiverReplies(TransferPipe wire, Offer offer, TimeProvider time, CancellationTokenSource stall)
{
    private readonly TaskCompletionSource<Acceptance?> _acceptance = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<int> _again = Channel.CreateBounded<int>(TransferLimits.MaxEntries);
    private readonly HashSet<int> _asked = [];
    private readonly HashSet<int> _verified = [];

    /// <summary>What the receiver has already; null when it refused.</summary>
    public Task<Acceptance?> Acceptance => _acceptance.Task;

    /// <summary>Entries to send once more; ends when everything is in its place.</summary>
    public ChannelReader<int> Again => _again.Reader;

    public RefusalReason? Refusal { get; private set; }

    public long FirstByteAt { get; private set; }

    /// <summary>Reads until the receiver is done, refuses or fails.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            byte[] first = await ReadAsync(Transfer.Acceptance.MaxBytes(offer.Entries.Count) + TransferLimits.MaxNoticeBytes, cancellationToken)
                .ConfigureAwait(false);
            FirstByteAt = time.GetTimestamp();
            if (Transfer.Acceptance.TryParse(first, offer, out Acceptance? acceptance))
            {
                _verified.UnionWith(acceptance!.Whole);
                _acceptance.SetResult(acceptance);
                while (await ReadNoticeAsync(cancellationToken).ConfigureAwait(false))
                {
                }
            }
            else
            {
                Refusal = ReadRefusal(first);
                _acceptance.SetResult(null);
            }

            _again.Writer.Complete();
        }
        catch (Exception e)
        {
            // The writing side waits for one of these two; the exception itself is this task's.
            _acceptance.TrySetCanceled(CancellationToken.None);
            _again.Writer.TryComplete(e is TransferException ? e : null);
            throw;
        }
    }

    private static RefusalReason ReadRefusal(byte[] message)
    {
        if (!Notice.TryParse(message, out Notice notice))
        {
            throw new TransferException(FailureReason.Violation);
        }

        return notice.Kind switch
        {
            MessageKind.Refuse => (RefusalReason)notice.Entry,
            MessageKind.Failed => throw new TransferException(Failure(notice)),
            _ => throw new TransferException(FailureReason.Violation),
        };
    }

    private static FailureReason Failure(Notice notice) =>
        notice.Entry is > 0 and <= (int)FailureReason.Superseded ? (FailureReason)notice.Entry : FailureReason.Interrupted;

    private async Task<bool> ReadNoticeAsync(CancellationToken cancellationToken)
    {
        byte[] message = await ReadAsync(TransferLimits.MaxNoticeBytes, cancellationToken).ConfigureAwait(false);
        if (!Notice.TryParse(message, out Notice notice))
        {
            throw new TransferException(FailureReason.Violation);
        }

        switch (notice.Kind)
        {
            case MessageKind.Done when _verified.Count == offer.Entries.Count:
                return false;
            case MessageKind.Verified when notice.Entry < offer.Entries.Count:
                _verified.Add(notice.Entry);
                return true;
            case MessageKind.Done or MessageKind.Verified:
                throw new TransferException(FailureReason.Violation);
            case MessageKind.Failed:
                throw new TransferException(Failure(notice));
            case MessageKind.Again:
                // Once an entry: a receiver could have us send for ever.
                if (notice.Entry >= offer.Entries.Count || !_asked.Add(notice.Entry) || !_again.Writer.TryWrite(notice.Entry))
                {
                    throw new TransferException(FailureReason.Violation);
                }

                return true;
            default:
                return true; // Progress keeps the transfer from stalling; what a later version adds is not for us
        }
    }

    private async Task<byte[]> ReadAsync(int maxBytes, CancellationToken cancellationToken)
    {
        byte[]? message = await wire.TryReadAsync(maxBytes, cancellationToken).ConfigureAwait(false);
        stall.CancelAfter(TransferLimits.StallTimeout);
        return message ?? throw new TransferException(FailureReason.Interrupted);
    }
}
