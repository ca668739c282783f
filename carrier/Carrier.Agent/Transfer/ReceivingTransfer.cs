using System.Buffers;
using System.Security.Cryptography;

namespace Carrier.Agent.Transfer;

/// <summary>One accepted transfer on the receiver's side: from its acceptance until it is installed or broken.</summary>
internal sealed class ReceivingTransfer : IDisposable
{
    private readonly TransferPipe _wire;
    private readonly Offer _offer;
    private readonly StagingFolder _staging;
    private readonly Acceptance _acceptance;
    private readonly HashSet<int> _whole;
    private readonly HashSet<int> _again = [];
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stall;
    private byte[]? _lastSha256;
    private long _doneBytes;
    private long _bytesReceived;
    private long _reserveCheckedAt;

    public ReceivingTransfer(TransferPipe wire, Offer offer, Acceptance acceptance, StagingFolder staging, TimeProvider time)
    {
        _wire = wire;
        _offer = offer;
        _acceptance = acceptance;
        _staging = staging;
        _time = time;
        _whole = [.. acceptance.Whole];
        _doneBytes = _whole.Sum(entry => offer.Entries[entry].Size ?? 0);
        _stall = new CancellationTokenSource(TransferLimits.StallTimeout, time);
    }

    public required Action<TransferProgress> Progress { get; init; }

    public required long MaxUnknownBytes { get; init; }

    /// <summary>Whether the disk has the reserve left that receiving must not touch.</summary>
    public required Func<bool> HasReserve { get; init; }

    public async Task<ReceiveOutcome> RunAsync(CancellationToken superseded, CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(_stall.Token, superseded, cancellationToken);
        try
        {
            await _wire.WriteAsync(_acceptance.Encode(), linked.Token).ConfigureAwait(false);
            while (_whole.Count < _offer.Entries.Count)
            {
                await ReceiveEntryAsync(linked.Token).ConfigureAwait(false);
            }

            string installed = await Task.Run(() => _staging.Install(_offer), CancellationToken.None).ConfigureAwait(false);
            await TellDoneAsync(linked.Token).ConfigureAwait(false);
            return Outcome(FailureReason.None) with { InstalledAt = installed };
        }
        catch (TransferException e)
        {
            return Broken(e.Reason);
        }
        catch (OperationCanceledException)
        {
            return Broken(superseded.IsCancellationRequested ? FailureReason.Superseded
                : cancellationToken.IsCancellationRequested ? FailureReason.Cancelled
                : FailureReason.Stalled);
        }
        catch (IOException e)
        {
            return Broken(TransferException.OfDisk(e).Reason);
        }
    }

    public void Dispose() => _stall.Dispose();

    private async Task ReceiveEntryAsync(CancellationToken cancellationToken)
    {
        byte[] message = await _wire.TryReadAsync(TransferLimits.MaxNoticeBytes, cancellationToken).ConfigureAwait(false)
            ?? throw new TransferException(FailureReason.Interrupted);
        if (!Notice.TryParse(message, out Notice begin) || begin.Kind != MessageKind.Entry
            || begin.Entry >= _offer.Entries.Count || _whole.Contains(begin.Entry)
            || (begin.Bytes != 0 && begin.Bytes != _acceptance.Partial.GetValueOrDefault(begin.Entry))
            || (begin.Bytes != 0 && _again.Contains(begin.Entry)))
        {
            throw new TransferException(FailureReason.Violation);
        }

        byte[] computed = await ReceiveDataAsync(begin, cancellationToken).ConfigureAwait(false);
        byte[] sent = new byte[SHA256.HashSizeInBytes];
        await _wire.ReadExactlyAsync(sent, cancellationToken).ConfigureAwait(false);
        if (computed.AsSpan().SequenceEqual(sent))
        {
            _staging.MarkWhole(begin.Entry);
            _whole.Add(begin.Entry);
            _lastSha256 = computed;
            await _wire.WriteAsync(new Notice(MessageKind.Verified, begin.Entry), cancellationToken).ConfigureAwait(false);
            return;
        }

        File.Delete(_staging.PartPath(begin.Entry));
        if (!_again.Add(begin.Entry))
        {
            throw new TransferException(FailureReason.Mismatch);
        }

        _doneBytes -= _offer.Entries[begin.Entry].Size ?? 0;
        await _wire.WriteAsync(new Notice(MessageKind.Again, begin.Entry), cancellationToken).ConfigureAwait(false);
    }

    private async Task<byte[]> ReceiveDataAsync(Notice begin, CancellationToken cancellationToken)
    {
        OfferEntry entry = _offer.Entries[begin.Entry];
        long limit = entry.Size ?? MaxUnknownBytes;
        byte[] block = ArrayPool<byte>.Shared.Rent(TransferLimits.MaxChunkBytes);
        PartFile part = PartFile.Open(_staging.PartPath(begin.Entry), begin.Bytes, _time);
        try
        {
            _doneBytes += begin.Bytes;
            Report(entry);
            _wire.BeginData();
            int filled;
            while ((filled = await _wire.ReadDataAsync(block, cancellationToken).ConfigureAwait(false)) > 0)
            {
                _stall.CancelAfter(TransferLimits.StallTimeout);
                if (filled > limit - part.Length)
                {
                    throw new TransferException(entry.Size is null ? FailureReason.TooLarge : FailureReason.Violation);
                }

                CheckReserve();
                long? durable = await part.AppendAsync(block.AsMemory(0, filled)).ConfigureAwait(false);
                _doneBytes += filled;
                _bytesReceived += filled;
                Report(entry);
                if (durable is { } bytes)
                {
                    await _wire.WriteAsync(new Notice(MessageKind.Progress, begin.Entry, bytes), cancellationToken).ConfigureAwait(false);
                }
            }

            if (entry.Size is { } size && part.Length != size)
            {
                throw new TransferException(FailureReason.Violation);
            }

            return await part.FinishAsync().ConfigureAwait(false);
        }
        finally
        {
            await part.DisposeAsync().ConfigureAwait(false);
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    /// <summary>Everything is in place by now; a sender that is gone already does not change that.</summary>
    private async Task TellDoneAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _wire.WriteAsync(new Notice(MessageKind.Done), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TransferException or OperationCanceledException)
        {
            // It will offer the same again, and then has it here twice.
        }
    }

    private void CheckReserve()
    {
        if (_reserveCheckedAt != 0 && _time.GetElapsedTime(_reserveCheckedAt) < TransferLimits.FlushInterval)
        {
            return;
        }

        _reserveCheckedAt = _time.GetTimestamp();
        if (!HasReserve())
        {
            throw new TransferException(FailureReason.DiskFull);
        }
    }

    private void Report(OfferEntry entry) =>
        Progress(new TransferProgress(_doneBytes, _offer.HasUnknownSize ? null : _offer.TotalBytes, entry.Path.Text));

    private ReceiveOutcome Broken(FailureReason reason)
    {
        if (_offer.HasUnknownSize || reason == FailureReason.Mismatch)
        {
            _staging.Discard(); // nobody can go on with it
        }

        return Outcome(reason);
    }

    private ReceiveOutcome Outcome(FailureReason failure) => new()
    {
        Offer = _offer,
        Failure = failure,
        Sha256 = _offer.IsFolder ? null : _lastSha256,
        BytesReceived = _bytesReceived,
    };
}
