using System.IO.Pipelines;
using Carrier.Core.Identity;

namespace Carrier.Agent.Transfer;

/// <summary>Receives transfers: one call a stream. Holds nothing between calls but who is receiving what.</summary>
/// <remarks>Whatever the peer does, a call ends in an outcome; only faults of this program throw.</remarks>
internal sealed class FileReceiver(TimeProvider time)
{
    /// <summary>What a stream of unknown size may grow to, unless the disk is full before.</summary>
    public const long DefaultMaxUnknownBytes = 1L << 40;

    private static readonly TimeSpan LastWordTimeout = TimeSpan.FromSeconds(5);

    private readonly ActiveTransfers _active = new();

    /// <summary>Decides about an offer: the allow list, or somebody who is asked.</summary>
    public required Func<TrustId, Offer, CancellationToken, ValueTask<ReceiveDecision>> Decide { get; init; }

    /// <summary>Told of every block, on the receiving task: it must be quick.</summary>
    public Action<TrustId, TransferProgress>? Progress { get; init; }

    public long MaxUnknownBytes { get; init; } = DefaultMaxUnknownBytes;

    /// <summary>Bytes that could still be written in a folder.</summary>
    public Func<string, long> FreeBytes { get; init; } = folder => new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace;

    /// <summary>Receives what <paramref name="peer"/> sends over <paramref name="pipe"/>, and completes both its ends.</summary>
    public async Task<ReceiveOutcome> RunAsync(IDuplexPipe pipe, TrustId peer, CancellationToken cancellationToken)
    {
        var wire = new TransferPipe(pipe);
        ReceiveOutcome outcome;
        try
        {
            outcome = await ReceiveAsync(wire, peer, cancellationToken).ConfigureAwait(false);
        }
        catch (TransferException e)
        {
            outcome = new ReceiveOutcome { Failure = e.Reason };
        }

        if (outcome.Failure is not (FailureReason.None or FailureReason.Interrupted))
        {
            await TellAsync(wire, new Notice(MessageKind.Failed, (int)outcome.Failure)).ConfigureAwait(false);
        }

        await pipe.Output.CompleteAsync().ConfigureAwait(false);
        await pipe.Input.CompleteAsync().ConfigureAwait(false);
        return outcome;
    }

    private async Task<ReceiveOutcome> ReceiveAsync(TransferPipe wire, TrustId peer, CancellationToken cancellationToken)
    {
        byte[] encoded;
        using (var stall = new CancellationTokenSource(TransferLimits.StallTimeout, time))
        using (var linked = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, cancellationToken))
        {
            try
            {
                encoded = await wire.TryReadAsync(TransferLimits.MaxOfferBytes, linked.Token).ConfigureAwait(false)
                    ?? throw new TransferException(FailureReason.Interrupted);
            }
            catch (OperationCanceledException)
            {
                return new ReceiveOutcome { Failure = cancellationToken.IsCancellationRequested ? FailureReason.Cancelled : FailureReason.Stalled };
            }
        }

        OfferReading reading = Offer.TryParse(encoded, out Offer? offer);
        if (reading != OfferReading.Read)
        {
            return await RefuseAsync(wire, null, Refusal(reading)).ConfigureAwait(false);
        }

        ReceiveDecision decision;
        try
        {
            decision = await Decide(peer, offer!, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return new ReceiveOutcome { Offer = offer, Failure = FailureReason.Cancelled };
        }

        return decision.Destination is null
            ? await RefuseAsync(wire, offer, decision.Refusal).ConfigureAwait(false)
            : await TakeAsync(wire, peer, offer!, TransferId.Of(peer, encoded), decision.Destination, cancellationToken).ConfigureAwait(false);
    }

    private async Task<ReceiveOutcome> TakeAsync(
        TransferPipe wire, TrustId peer, Offer offer, TransferId id, string destination, CancellationToken cancellationToken)
    {
        ActiveTransfers.Lease? lease = null;
        try
        {
            lease = await _active.TakeAsync(destination, id, cancellationToken).ConfigureAwait(false);
            if (lease is null)
            {
                return await RefuseAsync(wire, offer, RefusalReason.Busy).ConfigureAwait(false);
            }

            using StagingFolder staging = StagingFolder.Open(destination, id, time.GetUtcNow().UtcDateTime);
            Acceptance acceptance = staging.Survey(offer);
            if (!HasRoom(offer, acceptance, destination))
            {
                return await RefuseAsync(wire, offer, RefusalReason.NoSpace).ConfigureAwait(false);
            }

            using var transfer = new ReceivingTransfer(wire, offer, acceptance, staging, time)
            {
                Progress = progress => Progress?.Invoke(peer, progress),
                MaxUnknownBytes = MaxUnknownBytes,
                HasReserve = () => FreeBytes(destination) >= TransferLimits.ReservedDiskBytes,
            };
            return await transfer.RunAsync(lease.Superseded, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return new ReceiveOutcome { Offer = offer, Failure = FailureReason.Cancelled };
        }
        catch (IOException e)
        {
            return new ReceiveOutcome { Offer = offer, Failure = TransferException.OfDisk(e).Reason };
        }
        catch (UnauthorizedAccessException)
        {
            return new ReceiveOutcome { Offer = offer, Failure = FailureReason.DiskError };
        }
        finally
        {
            lease?.Dispose();
        }
    }

    private bool HasRoom(Offer offer, Acceptance acceptance, string destination)
    {
        long missing = offer.TotalBytes - acceptance.Partial.Values.Sum() - acceptance.Whole.Sum(entry => offer.Entries[entry].Size ?? 0);
        return FreeBytes(destination) - TransferLimits.ReservedDiskBytes >= missing;
    }

    private async Task<ReceiveOutcome> RefuseAsync(TransferPipe wire, Offer? offer, RefusalReason reason)
    {
        await TellAsync(wire, new Notice(MessageKind.Refuse, (int)reason)).ConfigureAwait(false);
        return new ReceiveOutcome { Offer = offer, Refusal = reason };
    }

    /// <summary>A last word, if the peer still listens.</summary>
    private async Task TellAsync(TransferPipe wire, Notice notice)
    {
        using var patience = new CancellationTokenSource(LastWordTimeout, time);
        try
        {
            await wire.WriteAsync(notice, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TransferException or OperationCanceledException)
        {
            // It does not; the outcome is ours all the same.
        }
    }

    private static RefusalReason Refusal(OfferReading reading) => reading switch
    {
        OfferReading.UnknownVersion => RefusalReason.UnknownVersion,
        OfferReading.UnsafePath => RefusalReason.UnsafePath,
        OfferReading.TooLarge => RefusalReason.TooLarge,
        _ => RefusalReason.Malformed,
    };
}
