using System.Buffers;
using System.Security.Cryptography;

namespace Carrier.Agent.Transfer;

/// <summary>Reads entries, hashes them and puts them on the wire.</summary>
internal sealed class EntrySender(TransferPipe wire, TransferSource source, CancellationTokenSource stall)
{
    private readonly byte[]?[] _digests = new byte[source.Offer.Entries.Count][];
    private readonly long? _totalBytes = source.Offer.HasUnknownSize ? null : source.Offer.TotalBytes;
    private long _doneBytes;

    public Action<TransferProgress>? Progress { get; init; }

    public IReadOnlyList<byte[]?> Digests => _digests;

    public long BytesSent { get; private set; }

    public long BytesResumed { get; private set; }

    /// <summary>Sends an entry from <paramref name="offset"/> on; what is before it is read too, for the hash is of the whole.</summary>
    public async Task SendAsync(int entry, long offset, CancellationToken cancellationToken)
    {
        OfferEntry offered = source.Offer.Entries[entry];
        _doneBytes -= _digests[entry] is null ? 0 : offered.Size ?? 0; // sent before, and asked for again
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        try
        {
            Stream stream = source.Open(entry);
            await using (stream.ConfigureAwait(false))
            {
                await HashAsync(stream, hash, offset, cancellationToken).ConfigureAwait(false);
                BytesResumed += offset;
                Advance(offered, offset);
                await wire.WriteAsync(new Notice(MessageKind.Entry, entry, offset), cancellationToken).ConfigureAwait(false);
                long left = (offered.Size ?? long.MaxValue) - offset;
                while (left > 0)
                {
                    int want = (int)Math.Min(left, TransferLimits.ChunkBytes);
                    int sent = await wire.WriteChunkAsync(stream, want, hash.AppendData, cancellationToken).ConfigureAwait(false);
                    if (sent == 0)
                    {
                        break;
                    }

                    left -= sent;
                    BytesSent += sent;
                    Advance(offered, sent);
                }

                if (!source.IsUnchanged(entry) || (offered.Size is not null && left > 0))
                {
                    throw new TransferException(FailureReason.SourceChanged);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TransferException(FailureReason.SourceChanged, e);
        }

        byte[] digest = hash.GetHashAndReset();
        _digests[entry] = digest;
        await wire.WriteEndAsync(digest, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>An entry the receiver has already: only its hash is wanted, for the report.</summary>
    public async Task SkipAsync(int entry, CancellationToken cancellationToken)
    {
        OfferEntry offered = source.Offer.Entries[entry];
        if (offered.Kind == EntryKind.Folder || offered.Size is not { } size)
        {
            return;
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        try
        {
            Stream stream = source.Open(entry);
            await using (stream.ConfigureAwait(false))
            {
                await HashAsync(stream, hash, size, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TransferException(FailureReason.SourceChanged, e);
        }

        _digests[entry] = hash.GetHashAndReset();
        BytesResumed += size;
        Advance(offered, size);
    }

    private async Task HashAsync(Stream stream, IncrementalHash hash, long bytes, CancellationToken cancellationToken)
    {
        byte[] block = ArrayPool<byte>.Shared.Rent(TransferLimits.MaxChunkBytes);
        while (bytes > 0)
        {
            int read = await stream.ReadAsync(block.AsMemory(0, (int)Math.Min(block.Length, bytes)), cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                throw new TransferException(FailureReason.SourceChanged);
            }

            hash.AppendData(block.AsSpan(0, read));
            bytes -= read;
            stall.CancelAfter(TransferLimits.StallTimeout);
        }

        ArrayPool<byte>.Shared.Return(block);
    }

    private void Advance(OfferEntry entry, long bytes)
    {
        _doneBytes += bytes;
        stall.CancelAfter(TransferLimits.StallTimeout);
        Progress?.Invoke(new TransferProgress(_doneBytes, _totalBytes, entry.Path.Text));
    }
}
